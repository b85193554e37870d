/*
 * text_advise.c - the words of urd advise.
 *
 * SPDX-License-Identifier: MIT
 */
#include "ui/text.h"

#define AT(id) [id - TEXT_ADVISE_FIRST]

const char *const urd__texts_advise[TEXT_COUNT - TEXT_ADVISE_FIRST][LANGUAGES] = {
    AT(TEXT_STATE_RUN) = {"running", "rodando"},
    AT(TEXT_STATE_READY) = {"ready, no core free", "pronto, sem núcleo livre"},
    AT(TEXT_STATE_LOCK) = {"a lock", "uma trava"},
    AT(TEXT_STATE_GIL) = {"the GIL", "o GIL"},
    AT(TEXT_STATE_DISK) = {"disk", "disco"},
    AT(TEXT_STATE_NET) = {"network", "rede"},
    AT(TEXT_STATE_PIPE) = {"pipe", "pipe"},
    AT(TEXT_STATE_TIMER) = {"time", "tempo"},
    AT(TEXT_STATE_TERMINAL) = {"terminal", "terminal"},
    AT(TEXT_STATE_FAULT) = {"memory pages", "páginas de memória"},
    AT(TEXT_STATE_JOIN) = {"its threads or children", "suas threads ou filhos"},
    AT(TEXT_STATE_WORK) = {"work (idle)", "trabalho (ocioso)"},
    AT(TEXT_STATE_STOPPED) = {"stopped", "parado"},
    AT(TEXT_STATE_UNKNOWN) = {"not seen", "não visto"},
    AT(TEXT_NATURE_UNKNOWN) = {"not judged", "sem veredito"},
    AT(TEXT_NATURE_SHORT) = {"too short", "curto demais"},
    AT(TEXT_NATURE_CPU) = {"CPU-bound", "limitado pela CPU"},
    AT(TEXT_NATURE_MEMORY) = {"memory-bound", "limitado pela memória"},
    AT(TEXT_NATURE_LOCK) = {"contended: a lock", "em disputa: uma trava"},
    AT(TEXT_NATURE_GIL) = {"contended: the GIL", "em disputa: o GIL"},
    AT(TEXT_NATURE_TURNS) = {"contended: taking turns", "em disputa: um de cada vez"},
    AT(TEXT_NATURE_DISK) = {"I/O-bound: disk", "limitado por E/S: disco"},
    AT(TEXT_NATURE_NET) = {"I/O-bound: network", "limitado por E/S: rede"},
    AT(TEXT_NATURE_PIPE) = {"I/O-bound: pipe", "limitado por E/S: pipe"},
    AT(TEXT_NATURE_TIMER) = {"waiting for time", "esperando o tempo"},
    AT(TEXT_NATURE_CHILD) = {"waiting for a child", "esperando um filho"},
    AT(TEXT_NATURE_TERMINAL) = {"waiting for the terminal", "esperando o terminal"},
    AT(TEXT_NATURE_FAULT) = {"I/O-bound: memory pages", "limitado por E/S: páginas de memória"},
    AT(TEXT_NATURE_IDLE) = {"idle", "ocioso"},
    AT(TEXT_NATURE_MIXED) = {"mixed", "misto"},
    AT(TEXT_NATURE_PHASES) = {"changes over time", "muda com o tempo"},
    AT(TEXT_NATURE_STOPPED) = {"stopped", "parado"},
    AT(TEXT_FIT_NONE) = {"-", "-"},
    AT(TEXT_FIT_TASKS) = {"tasks", "tarefas"},
    AT(TEXT_FIT_THREADS) = {"threads", "threads"},
    AT(TEXT_FIT_PROCESSES) = {"processes", "processos"},
    AT(TEXT_FIT_AS_IT_IS) = {"leave it as it is", "deixe como está"},
    AT(TEXT_ADVISE_WATCHED) =
        {"watched {0}: processes: {1}, threads: {2}, cores: {3}; {4} looks, which cost "
         "{5} of one core",
         "observado por {0}: processos: {1}, threads: {2}, núcleos: {3}; {4} olhadas, "
         "que custaram {5} de um núcleo"},
    AT(TEXT_ADVISE_MEMORY) = {"peak memory {0}", "pico de memória {0}"},
    AT(TEXT_ADVISE_THREAD) = {"thread", "thread"},
    AT(TEXT_ADVISE_LIFE) = {"alive", "vida"},
    AT(TEXT_ADVISE_RAN) = {"ran", "rodou"},
    AT(TEXT_ADVISE_READY) = {"ready", "pronto"},
    AT(TEXT_ADVISE_WAITED) = {"waited for", "esperou"},
    AT(TEXT_ADVISE_WHERE) = {"where", "onde"},
    AT(TEXT_ADVISE_MORE_THREADS) = {"... and {0} more", "... e mais {0}"},
    AT(TEXT_ADVISE_WHOLE) = {"Whole", "Total"},
    AT(TEXT_ADVISE_PHASE) = {"Phase", "Fase"},
    AT(TEXT_ADVISE_PHASE_START) = {"start", "início"},
    AT(TEXT_ADVISE_PHASE_STEADY) = {"steady", "regime"},
    AT(TEXT_ADVISE_PHASE_END) = {"end", "fim"},
    AT(TEXT_ADVISE_PHASES) = {"Phases", "Fases"},
    AT(TEXT_ADVISE_WATCH_OUT) = {"Watch out", "Cuidado"},
    AT(TEXT_ADVISE_FITS) = {"Fits", "Serve"},
    AT(TEXT_ADVISE_LOCKS) = {"Locks", "Travas"},
    AT(TEXT_ADVISE_LOCK_LINE) = {"{0}: {1} threads waited {2} in all{3}{4}",
                                 "{0}: {1} threads esperaram {2} ao todo{3}{4}"},
    AT(TEXT_ADVISE_LOCK_AT) = {" at {0}", " em {0}"},
    AT(TEXT_ADVISE_LOCK_HELD) = {"; held by {0} in {1} of the looks",
                                 "; com {0} em {1} das olhadas"},
    AT(TEXT_ADVISE_LOCK_HELD_WAITING) = {", which itself waited for {0}",
                                         ", que por sua vez esperava {0}"},
    AT(TEXT_ADVISE_LOCK_WORD) = {"lock {0}", "trava {0}"},
    AT(TEXT_SAY_A_SHORT) =
        {"it ran only {0}, of which {1} on a core: too short to see what it waits for. "
         "Give it more work, or repeat it in a loop.",
         "rodou só {0}, dos quais {1} num núcleo: curto demais para ver o que espera. "
         "Dê mais trabalho, ou repita num laço."},
    AT(TEXT_SAY_A_UNKNOWN) = {"it ran {0} of the time, and what it waits for cannot be seen.",
                              "rodou {0} do tempo, e não se pode ver o que espera."},
    AT(TEXT_SAY_A_CPU) =
        {"CPU-bound: something computed, or could have, {0} of the time, on {1} of {2} "
         "cores.",
         "limitado pela CPU: em {0} do tempo algo calculava, ou poderia, em {1} de {2} "
         "núcleos."},
    AT(TEXT_SAY_A_MEMORY) =
        {"memory-bound: it computes {0} of the time, but goes through {1} of memory a "
         "second, and the caches hold {2}: it waits for memory more than for "
         "arithmetic.",
         "limitado pela memória: calcula {0} do tempo, mas percorre {1} de memória por "
         "segundo, e os caches guardam {2}: espera mais a memória que a aritmética."},
    AT(TEXT_SAY_A_GIL) =
        {"the GIL: {0} threads want to run Python code, and only the one that holds "
         "the interpreter's lock may: {1} of what wanted to run stood in line for it, "
         "and all together used {2} of {3} cores.",
         "o GIL: {0} threads querem executar código Python, e só a que tem a trava do "
         "interpretador pode: {1} do que queria rodar ficou na fila, e juntas usaram "
         "{2} de {3} núcleos."},
    AT(TEXT_SAY_A_LOCK) =
        {"contended: {0} of what wanted to run stood in line for a lock{1}; all "
         "together used {2} of {3} cores.",
         "em disputa: {0} do que queria rodar ficou na fila de uma trava{1}; juntas "
         "usaram {2} de {3} núcleos."},
    AT(TEXT_SAY_A_TURNS) =
        {"contended: {0} threads compute, but take turns: together they use {1} of {2} "
         "cores, each waits for another {3} of its life and is woken {4} times a "
         "second. What it is they pass on cannot be seen from outside: a lock of the "
         "language, a queue, a condition.",
         "em disputa: {0} threads calculam, mas uma de cada vez: juntas usam {1} de "
         "{2} núcleos, cada uma espera outra {3} da vida e é acordada {4} vezes por "
         "segundo. O que passam adiante não se vê de fora: uma trava da linguagem, uma "
         "fila, uma condição."},
    AT(TEXT_SAY_A_WAIT) =
        {"it waits: in {0} of the time nothing of it runs, and {1} of that it waits "
         "for {2}{3}. It computes {4} of the time.",
         "espera: em {0} do tempo nada dele roda, e em {1} disso espera por {2}{3}. "
         "Calcula {4} do tempo."},
    AT(TEXT_SAY_A_WAIT_AT) = {", at {0}", ", em {0}"},
    AT(TEXT_SAY_A_CHILD) =
        {"it waits for another program that it started and that cannot be seen from "
         "here.",
         "espera outro programa que iniciou e que não se vê daqui."},
    AT(TEXT_SAY_A_IDLE) =
        {"idle: in {0} of the time nothing of it runs, and it waits for nothing but "
         "work: {1} threads on conditions, events, or clients that do not come. That "
         "is no contention: nobody holds what they wait for.",
         "ocioso: em {0} do tempo nada dele roda, e ele só espera trabalho: {1} "
         "threads em condições, eventos ou clientes que não vêm. Não é disputa: "
         "ninguém tem o que elas esperam."},
    AT(TEXT_SAY_A_MIXED) =
        {"mixed: it computes {0} of the time, and in the rest waits, {1} of it for "
         "{2}{3}.",
         "misto: calcula {0} do tempo, e no resto espera, {1} disso por {2}{3}."},
    AT(TEXT_SAY_A_PHASES) =
        {"it changes its nature: see the phases below. The longest decides what fits.",
         "muda de natureza: veja as fases abaixo. A mais longa decide o que serve."},
    AT(TEXT_SAY_A_STOPPED) = {"it is stopped, by a signal or a debugger.",
                              "está parado, por um sinal ou um depurador."},
    AT(TEXT_FITS_CPU_THREADS) =
        {"threads, one for each core: they share memory and start in 24 µs. In Urdume "
         "tasks are as fast, since there is a worker for each core.",
         "threads, uma por núcleo: dividem a memória e partem em 24 µs. No Urdume as "
         "tarefas são tão rápidas quanto, pois há um worker por núcleo."},
    AT(TEXT_FITS_CPU_TASKS) = {"tasks (goroutines): the runtime spreads them over the cores.",
                               "tarefas (goroutines): o runtime as espalha pelos núcleos."},
    AT(TEXT_FITS_CPU_PROCESSES) =
        {"processes, one for each core: this language runs one thread of its code at a "
         "time, and processes have an interpreter each (multiprocessing, "
         "ProcessPoolExecutor, worker processes).",
         "processos, um por núcleo: esta linguagem executa uma thread do seu código "
         "por vez, e processos têm um interpretador cada (multiprocessing, "
         "ProcessPoolExecutor, processos)."},
    AT(TEXT_FITS_CPU_MORE_PROCESSES) =
        {"more processes at once (make -j, xargs -P): the work is parted into programs "
         "already, but too few run at a time.",
         "mais processos ao mesmo tempo (make -j, xargs -P): o trabalho já está "
         "partido em programas, mas poucos rodam de cada vez."},
    AT(TEXT_FITS_GIL) =
        {"processes: each has a GIL of its own (multiprocessing, ProcessPoolExecutor). "
         "More threads change nothing, and asyncio would not either: nobody waits for "
         "I/O.",
         "processos: cada um tem seu GIL (multiprocessing, ProcessPoolExecutor). Mais "
         "threads não mudam nada, e asyncio também não: ninguém espera E/S."},
    AT(TEXT_FITS_LOCK) =
        {"processes, or any model in which each has data of its own and the results "
         "meet at the end (a channel): while one lock guards it all, more threads only "
         "make the line longer.",
         "processos, ou qualquer modelo em que cada um tem dados próprios e os "
         "resultados se juntam no fim (um canal): enquanto uma trava guarda tudo, mais "
         "threads só alongam a fila."},
    AT(TEXT_FITS_WAIT_TASKS) =
        {"tasks (asyncio, goroutines, urd_go): the waits overlap, and a waiting task "
         "costs some {0} of memory where a thread costs some {1} and a process {2}.",
         "tarefas (asyncio, goroutines, urd_go): as esperas se sobrepõem, e uma tarefa "
         "que espera custa uns {0} de memória, uma thread uns {1} e um processo {2}."},
    AT(TEXT_FITS_WAIT_THREADS_DO) =
        {"tasks (asyncio, goroutines, urd_go). The {3} waits at once overlap already, "
         "as they are; tasks do the same for some {0} of memory each, where a thread "
         "costs some {1} and a process {2}.",
         "tarefas (asyncio, goroutines, urd_go). As {3} esperas simultâneas já se "
         "sobrepõem assim; tarefas fazem o mesmo por uns {0} de memória cada, onde uma "
         "thread custa uns {1} e um processo {2}."},
    AT(TEXT_FITS_WAIT_LOOP) =
        {"leave it as it is: it waits in an event loop already, in which many waits "
         "cost no more than one.",
         "deixe como está: já espera num laço de eventos, em que muitas esperas não "
         "custam mais que uma."},
    AT(TEXT_FITS_DISK_THREADS) =
        {"threads: a file's read holds up its thread, and a few at once keep the "
         "device busy (or tasks on io_uring).",
         "threads: ler um arquivo prende a thread, e algumas ao mesmo tempo mantêm o "
         "disco ocupado (ou tarefas com io_uring)."},
    AT(TEXT_FITS_FULL) = {"leave it as it is: it uses all {0} cores already.",
                          "deixe como está: já usa todos os {0} núcleos."},
    AT(TEXT_FITS_ONE_CORE) = {"leave it as it is: there is one core here, and it is used.",
                              "deixe como está: há um núcleo aqui, e é usado."},
    AT(TEXT_FITS_OVERLAP) =
        {"leave it as it is: its waits overlap already ({0} at once on average).",
         "deixe como está: as esperas já se sobrepõem ({0} ao mesmo tempo, em média)."},
    AT(TEXT_FITS_IDLE) =
        {"leave it as it is: no model makes it do more, for there is nothing to do. "
         "Fewer threads would do.",
         "deixe como está: nenhum modelo o faz render mais, pois não há o que fazer. "
         "Menos threads bastariam."},
    AT(TEXT_FITS_NOTHING) = {"leave it as it is: no model of concurrency makes that shorter.",
                             "deixe como está: nenhum modelo de concorrência encurta isso."},
    AT(TEXT_MORE_A_AMDAHL) =
        {"{0} times the speed of now on the {1} cores here, {2} times on {3} (Amdahl: "
         "{4} of the active time only one thread was active).",
         "{0} vezes a velocidade atual nos {1} núcleos daqui, {2} vezes em {3} "
         "(Amdahl: em {4} do tempo ativo só uma thread estava ativa)."},
    AT(TEXT_MORE_A_AT_MOST) =
        {"at most {0} times the speed on the {1} cores here and {2} times on {3}, if "
         "the work can be parted at all: one thread did it all, so its serial part "
         "cannot be measured.",
         "no máximo {0} vezes a velocidade nos {1} núcleos daqui e {2} vezes em {3}, "
         "se o trabalho puder ser partido: uma thread fez tudo, então a parte serial "
         "não pode ser medida."},
    AT(TEXT_MORE_A_FULL) =
        {"{0} times the speed on {1} cores, if the rest is as parallel as what was "
         "seen.",
         "{0} vezes a velocidade em {1} núcleos, se o resto for tão paralelo quanto o "
         "que se viu."},
    AT(TEXT_MORE_A_APART) =
        {"without the line {0} times the speed on the {1} cores here, {2} times on {3} "
         "({4} compute).",
         "sem a fila, {0} vezes a velocidade nos {1} núcleos daqui, {2} vezes em {3} "
         "({4} calculam)."},
    AT(TEXT_MORE_A_MEMORY) =
        {"less than from arithmetic: two to four cores fill the bandwidth of one "
         "memory controller. Smaller or denser data helps more.",
         "menos que com aritmética: dois a quatro núcleos enchem a banda de um "
         "controlador de memória. Dados menores ou mais densos ajudam mais."},
    AT(TEXT_MORE_A_WAIT) =
        {"about {0} such waits at once until the {1} cores are full (it computes {2} "
         "of the time): {3} of memory as tasks, {4} as threads, {5} as processes. More "
         "cores change nothing until then.",
         "cerca de {0} esperas assim ao mesmo tempo até encher os {1} núcleos (calcula "
         "{2} do tempo): {3} de memória como tarefas, {4} como threads, {5} como "
         "processos. Até lá, mais núcleos não mudam nada."},
    AT(TEXT_MORE_A_WAIT_MANY) =
        {"the CPU is no limit: thousands of such waits fit at once ({0} of memory for "
         "1000 tasks, {1} for 1000 threads, {2} for 1000 processes). More cores change "
         "nothing.",
         "a CPU não limita: milhares de esperas assim cabem ao mesmo tempo ({0} de "
         "memória para 1000 tarefas, {1} para 1000 threads, {2} para 1000 processos). "
         "Mais núcleos não mudam nada."},
    AT(TEXT_MORE_A_MIXED) =
        {"{0} at once keep one core busy, {1} the {2} here; beyond that it is "
         "CPU-bound.",
         "{0} ao mesmo tempo ocupam um núcleo, {1} os {2} daqui; além disso, a CPU "
         "limita."},
    AT(TEXT_OUT_SHARED) =
        {"threads share memory: whatever two of them change needs a lock, an atomic or "
         "a channel.",
         "threads dividem a memória: o que duas alteram precisa de trava, atômico ou "
         "canal."},
    AT(TEXT_OUT_PROCESSES) =
        {"processes share nothing by themselves: arguments and results are copied, so "
         "hand over large pieces of work (chunks), not single items.",
         "processos não dividem nada por si: argumentos e resultados são copiados; "
         "entregue pedaços grandes de trabalho, não itens soltos."},
    AT(TEXT_OUT_TASKS) =
        {"a task must wait with calls that let others run (await, urd_ calls): one "
         "that blocks in a plain call, or computes for long, holds up the others.",
         "uma tarefa deve esperar com chamadas que deixam as outras rodar (await, "
         "urd_): a que bloqueia numa chamada comum, ou calcula muito, prende as "
         "outras."},
    AT(TEXT_OUT_LOCK) =
        {"the lock above: keep what is done under it short, or part it (one for each "
         "piece of data).",
         "a trava acima: encurte o que se faz com ela, ou divida-a (uma para cada "
         "dado)."},
    AT(TEXT_OUT_HELD_WAITING) =
        {"whoever holds the lock waits for {0} meanwhile: let go of it first.",
         "quem tem a trava espera {0} com ela na mão: solte-a antes."},
    AT(TEXT_OUT_SPINNING) =
        {"an event loop that is active {0} of the time is full: what it does in "
         "between its waits is the limit.",
         "um laço de eventos ativo em {0} do tempo está cheio: o que faz entre as "
         "esperas é o limite."},
    AT(TEXT_NOTE_A_BUSY) = {"other programs used {0} of the {1} cores meanwhile.",
                            "outros programas usaram {0} dos {1} núcleos durante a medida."},
    AT(TEXT_NOTE_A_HIDDEN) =
        {"what it waits for may not be read: that needs the same user and the right to "
         "trace it. Run urd as root or with CAP_SYS_PTRACE, or set "
         "kernel.yama.ptrace_scope to 0. Its CPU time is exact all the same.",
         "o que ele espera não pode ser lido: é preciso ser o mesmo usuário e poder "
         "rastreá-lo. Rode urd como root ou com CAP_SYS_PTRACE, ou ponha "
         "kernel.yama.ptrace_scope em 0. O tempo de CPU é exato mesmo assim."},
    AT(TEXT_NOTE_A_LEFT) =
        {"the command has ended and left {0} running (process {1}); watch it with: urd "
         "advise --pid {1}",
         "o comando terminou e deixou {0} rodando (processo {1}); observe-o com: urd "
         "advise --pid {1}"},
    AT(TEXT_NOTE_A_UNSEEN) =
        {"{0} of {1} of CPU time was used by what was too short to be seen.",
         "{0} de {1} de tempo de CPU foi do que era curto demais para ser visto."},
    AT(TEXT_NOTE_A_FEW) = {"few looks ({0}): the shares of waiting are rough.",
                           "poucas olhadas ({0}): as partes de espera são aproximadas."},
    AT(TEXT_NOTE_A_MANY) = {"{0} threads were too many to be watched.",
                            "{0} threads eram demais para observar."},
    AT(TEXT_NOTE_A_DIFFERENT) = {"the waits are of several kinds; only {0} of them are for {1}.",
                                 "as esperas são de vários tipos; só {0} delas por {1}."},
    AT(TEXT_NOTE_A_NO_COUNTERS) =
        {"whether the CPU waits for memory was judged by the pages touched; caches "
         "cannot be counted here.",
         "se a CPU espera a memória foi julgado pelas páginas tocadas; os caches não "
         "podem ser contados aqui."},
    AT(TEXT_NOTE_A_NO_PERF) =
        {"performance events are not allowed: that needs the same user and "
         "kernel.perf_event_paranoid of 2 or less (it is {0}), or CAP_PERFMON; and in a container "
         "a seccomp profile that lets perf_event_open through.",
         "eventos de desempenho não são permitidos: é preciso o mesmo usuário e "
         "kernel.perf_event_paranoid 2 ou menos (está em {0}), ou CAP_PERFMON; e num contêiner "
         "um perfil seccomp que deixe passar perf_event_open."},
    AT(TEXT_NOTE_A_NO_HARDWARE) =
        {"the processor shows no counters here, as in most virtual machines: instructions and "
         "cache misses are not known.",
         "o processador não mostra contadores aqui, como na maioria das máquinas virtuais: "
         "instruções e faltas de cache não são conhecidas."},
    AT(TEXT_NOTE_A_NO_SWITCHES) =
        {"switches and changes of core can only be counted with kernel.perf_event_paranoid of 1 "
         "or less (it is {0}), or CAP_PERFMON.",
         "trocas e mudanças de núcleo só podem ser contadas com kernel.perf_event_paranoid 1 ou "
         "menos (está em {0}), ou CAP_PERFMON."},
    AT(TEXT_NOTE_A_NO_COUNTS) =
        {"nothing was counted: for that the program had too many threads at the start.",
         "nada foi contado: para isso o programa tinha threads demais no começo."},
    AT(TEXT_ADVISE_COUNTED) = {"Counted", "Contado"},
    AT(TEXT_ADVISE_COUNTED_CYCLES) = {"{0} instructions a cycle", "{0} instruções por ciclo"},
    AT(TEXT_ADVISE_COUNTED_MISSES) = {"{0} cache misses in 1000 instructions",
                                      "{0} faltas de cache em 1000 instruções"},
    AT(TEXT_ADVISE_COUNTED_SWITCHES) = {"{0} switches", "{0} trocas"},
    AT(TEXT_ADVISE_COUNTED_MIGRATIONS) = {"{0} changes of core", "{0} mudanças de núcleo"},
    AT(TEXT_ADVISE_COUNTED_FAULTS) = {"{0} page faults", "{0} faltas de página"},
    AT(TEXT_ADVISE_PROCESS) = {"Process", "Processo"},
    AT(TEXT_ADVISE_PROCESS_LINE) = {"{0}: {1}; fits: {2}; something runs, or could {3}",
                                    "{0}: {1}; serve: {2}; algo roda, ou poderia {3}"},
    AT(TEXT_ADVISE_TIMELINE) = {"Timeline of each thread", "Linha do tempo de cada thread"},
    AT(TEXT_ADVISE_EVIDENCE) = {"Evidence", "Evidência"},
    AT(TEXT_ADVISE_SHARES) = {"What it did", "O que fez"},
    AT(TEXT_ADVISE_NOBODY) = {"nothing runs; it waits for", "nada roda; espera por"},
    AT(TEXT_ADVISE_SOMEBODY) = {"something runs, or could", "algo roda, ou poderia"},
    AT(TEXT_ADVISE_HOW_LONG) =
        {"Each thread is looked at through /proc. The kernel counts exactly how long "
         "it ran and stood ready; what it waits for is sampled by the system call it "
         "is in. The program runs unchanged: nothing is written into it, nor is it stopped; "
         "of one that computes and is large, the kernel's marks of used pages are reset.",
         "Cada thread é olhada por /proc. O núcleo conta exatamente quanto rodou e "
         "esteve pronta; o que espera é amostrado pela chamada de sistema em que está. "
         "O programa roda sem alteração: nada se escreve nele, nem é parado; de um grande que "
         "calcula, zeram-se as marcas de páginas usadas do núcleo."},
    AT(TEXT_ADVISE_LIVE) = {"{0}  {1} processes, {2} threads  (Ctrl-C ends)",
                            "{0}  {1} processos, {2} threads  (Ctrl-C termina)"},
    AT(TEXT_ADVISE_WAITERS) = {"threads in line", "threads na fila"},
    AT(TEXT_ADVISE_HOLDER) = {"held most by", "mais tempo com"},
};
