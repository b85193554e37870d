/*
 * config.h - the configuration of a run: what the caller gave, and what the environment says.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef URD_CORE_CONFIG_H
#define URD_CORE_CONFIG_H

#include "urd.h"

/* Every field of out set: from the environment, else from cfg (may be NULL), else the default.  0;
 * -EINVAL with a message that names the field or variable. */
int urd__config_resolve(const urd_config *cfg, urd_config *out);

#endif
