# urdumeConfig.cmake - find_package(urdume) gives urdume::urdume (shared) and urdume::static.
# SPDX-License-Identifier: MIT
get_filename_component(_urdume_lib "${CMAKE_CURRENT_LIST_DIR}/../.." ABSOLUTE)
find_path(URDUME_INCLUDE_DIR urd.h NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH PATH_SUFFIXES include
    PATHS "${_urdume_lib}/.." "${_urdume_lib}/../..")
if(NOT URDUME_INCLUDE_DIR)
    set(urdume_FOUND FALSE)
    set(urdume_NOT_FOUND_MESSAGE "no include/urd.h above ${_urdume_lib}")
    return()
endif()

include(CMakeFindDependencyMacro)
find_dependency(Threads)

if(NOT TARGET urdume::urdume)
    add_library(urdume::urdume SHARED IMPORTED)
    set_target_properties(urdume::urdume PROPERTIES
        IMPORTED_LOCATION "${_urdume_lib}/liburdume.so"
        INTERFACE_INCLUDE_DIRECTORIES "${URDUME_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES Threads::Threads)
    add_library(urdume::static STATIC IMPORTED)
    set_target_properties(urdume::static PROPERTIES
        IMPORTED_LOCATION "${_urdume_lib}/liburdume.a"
        INTERFACE_INCLUDE_DIRECTORIES "${URDUME_INCLUDE_DIR}"
        INTERFACE_LINK_LIBRARIES "Threads::Threads;${CMAKE_DL_LIBS}")
endif()
