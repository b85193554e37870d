/*
 * text.c - the message table, and numbers with the decimal mark of the language.
 *
 * SPDX-License-Identifier: MIT
 *
 * Values in the texts stand as {0}, {1}, ... because their order differs between languages.
 */
#include "ui/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const texts[TEXT_COMPARE_COUNT][LANGUAGES] = {
    [TEXT_LANGUAGE] = {"en", "pt-BR"},
    [TEXT_SEQUENTIAL] = {"sequential", "sequencial"},
    [TEXT_TASKS] = {"tasks", "tarefas"},
    [TEXT_THREADS] = {"threads", "threads"},
    [TEXT_PROCESSES] = {"processes", "processos"},
    [TEXT_MODEL] = {"model", "modelo"},
    [TEXT_WALL] = {"wall", "tempo"},
    [TEXT_CPU] = {"CPU", "CPU"},
    [TEXT_SPEEDUP] = {"speed-up", "ganho"},
    [TEXT_CORES] = {"cores used", "núcleos usados"},
    [TEXT_MEMORY] = {"peak memory", "pico de memória"},
    [TEXT_STARTUP] = {"start-up/job", "partida/trabalho"},
    [TEXT_WAITING] = {"waiting", "espera"},
    [TEXT_SWITCHES] = {"switches", "trocas"},
    [TEXT_VERDICT] = {"Verdict", "Veredito"},
    [TEXT_EXPECT] = {"Expect", "Espere"},
    [TEXT_HEADING] = {"{0}\njobs: {1}, cores: {2}, runs: {3} (the median is shown)",
                      "{0}\ntrabalhos: {1}, núcleos: {2}, execuções: {3} (mostra-se a mediana)"},
    [TEXT_NOTE] = {"Note", "Nota"},
    [TEXT_BUSY] = {"other programs used {0} of the {1} cores meanwhile, so the speed-ups are lower "
                   "bounds.",
                   "outros programas usaram {0} dos {1} núcleos durante a medida: os ganhos são "
                   "limites inferiores."},
    [TEXT_SPREAD] = {"the runs of {0} took from {1} to {2}: caches were cold at first, or the "
                     "machine was busy. More --runs give a firmer median.",
                     "as execuções de {0} levaram de {1} a {2}: cache frio no início, ou a máquina "
                     "ocupada. Mais --runs firmam a mediana."},
    [TEXT_FAILED] = {"failed", "falhou"},
    [TEXT_PROGRESS] = {"run {0} of {1}: {2}", "execução {0} de {1}: {2}"},
    [TEXT_COMPILING] = {"compiling", "compilando"},

    [TEXT_CLASS_SHORT] = {"too short", "curto demais"},
    [TEXT_CLASS_WAITING] = {"I/O-bound (it waits)", "limitado por E/S (espera)"},
    [TEXT_CLASS_CPU] = {"CPU-bound", "limitado pela CPU"},
    [TEXT_CLASS_MIXED] = {"mixed", "misto"},
    [TEXT_CLASS_CONTENDED] = {"contended", "em disputa"},
    [TEXT_CLASS_UNKNOWN] = {"not judged", "sem veredito"},

    [TEXT_SAY_SHORT] = {"too short to judge: one after the other, all jobs take {0}. Give it more "
                        "work.",
                        "curto demais para julgar: em sequência, tudo leva {0}. Dê mais trabalho."},
    [TEXT_SAY_UNKNOWN] = {"not judged: that needs the sequential run and at least one other that "
                          "works.",
                          "sem veredito: é preciso a execução sequencial e ao menos outra que "
                          "funcione."},
    [TEXT_SAY_WAITING] = {"I/O-bound: one after the other, the jobs wait {0} of the time and use "
                          "{1} of CPU. As {2} the waits overlap: {3} instead of {4}, {5}.",
                          "limitado por E/S: em sequência, os trabalhos esperam {0} do tempo e "
                          "usam {1} de CPU. Como {2} as esperas se sobrepõem: {3} em vez de {4}, "
                          "{5}."},
    [TEXT_SAY_WAITING_IN_LINE] =
        {"contended: one after the other, the jobs wait {0} of the time, and started together they "
         "are no faster ({1} times at best, as {2}): the waits do not overlap, so the jobs stand "
         "in line for one lock, file or device.",
         "em disputa: em sequência, os trabalhos esperam {0} do tempo, e juntos não ficam mais "
         "rápidos ({1} vezes no melhor caso, como {2}): as esperas não se sobrepõem; os trabalhos "
         "fazem fila por uma trava, um arquivo ou um dispositivo."},
    [TEXT_SAY_WAITING_BLOCKED] =
        {"I/O-bound: the jobs wait {0} of the time, but as tasks they take {1} against {2} as {3}: "
         "they block in plain system calls and hold up their worker. Wait with the urd_ calls, "
         "such "
         "as urd_sleep, or use {3}.",
         "limitado por E/S: os trabalhos esperam {0} do tempo, mas como tarefas levam {1} contra "
         "{2} como {3}: bloqueiam em chamadas comuns do sistema e param o worker. Espere com as "
         "chamadas urd_, como urd_sleep, ou use {3}."},
    [TEXT_SAY_CPU] = {"CPU-bound: one after the other, the jobs compute {0} of the time. As {1} "
                      "they are {2} times as fast on {3} cores ({4} used), {5}.",
                      "limitado pela CPU: em sequência, os trabalhos calculam {0} do tempo. Como "
                      "{1} ficam {2} vezes mais rápidos em {3} núcleos ({4} usados), {5}."},
    [TEXT_SAY_CPU_BUSY] = {"CPU-bound: one after the other, the jobs compute {0} of the time. No "
                           "model gets ahead now ({1} at best), but other programs hold {2} of the "
                           "{3} cores: measure again on a quiet machine.",
                           "limitado pela CPU: em sequência, os trabalhos calculam {0} do tempo. "
                           "Nenhum modelo avança agora ({1} no melhor caso), mas outros programas "
                           "ocupam {2} dos {3} núcleos: meça de novo com a máquina quieta."},
    [TEXT_SAY_NO_GAIN] =
        {"{0}: one after the other, the jobs compute {1} of the time, and no model "
         "is faster on the {2} core(s) here: the best, {3}, reaches {4} times the "
         "speed.",
         "{0}: em sequência, os trabalhos calculam {1} do tempo, e nenhum modelo é "
         "mais rápido com o(s) {2} núcleo(s) daqui: o melhor, {3}, chega a {4} "
         "vezes a velocidade."},
    [TEXT_SAY_MIXED] = {"mixed: one after the other, the jobs compute {0} of the time and wait the "
                        "other {1}. As {2} both overlap: {3} instead of {4} ({5} times), {6}.",
                        "misto: em sequência, os trabalhos calculam {0} do tempo e esperam os "
                        "outros {1}. Como {2} as duas coisas se sobrepõem: {3} em vez de {4} ({5} "
                        "vezes), {6}."},
    [TEXT_SAY_CONTENDED] =
        {"contended: it is CPU work ({0} computing), yet threads reach only {1} "
         "times the speed with {2} times the CPU, waiting {3} of the time: they "
         "stand in line for the same data. As {4}, {5}, it is {6} times as fast.",
         "em disputa: é trabalho de CPU ({0} calculando), mas threads chegam só "
         "a {1} vezes a velocidade com {2} vezes a CPU, esperando {3} do tempo: "
         "fazem fila pelos mesmos dados. Como {4}, {5}, fica {6} vezes mais "
         "rápido."},
    [TEXT_SAY_CONTENDED_STUCK] =
        {"contended: it is CPU work ({0} computing), yet threads reach only {1} times the speed "
         "with {2} times the CPU, waiting {3} of the time, and processes do not help either: the "
         "jobs stand in line for something outside them.",
         "em disputa: é trabalho de CPU ({0} calculando), mas threads chegam só a {1} vezes a "
         "velocidade com {2} vezes a CPU, esperando {3} do tempo, e processos também não ajudam: "
         "os "
         "trabalhos fazem fila por algo fora deles."},

    [TEXT_FIT_LEAST_MEMORY] = {"with the least memory ({0})", "com a menor memória ({0})"},
    [TEXT_FIT_SAME_SPEED] = {"which share memory and start in {0}",
                             "que dividem a memória e partem em {0}"},
    [TEXT_FIT_FASTEST] = {"the fastest here", "o mais rápido aqui"},
    [TEXT_FIT_SEQUENTIAL] = {"without any concurrency", "sem concorrência alguma"},
    [TEXT_FIT_APART] = {"each with memory of its own", "cada um com sua memória"},

    [TEXT_MORE_SHORT] = {"nothing can be said yet.", "nada pode ser dito ainda."},
    [TEXT_MORE_WAITING] = {"more cores change nothing. More jobs cost no time until the CPU is "
                           "full: at {0} of CPU a job, {1} core(s) carry about {2} of them in the "
                           "same {3}.",
                           "mais núcleos não mudam nada. Mais trabalhos não custam tempo até a CPU "
                           "encher: com {0} de CPU por trabalho, {1} núcleo(s) levam cerca de {2} "
                           "deles nos mesmos {3}."},
    [TEXT_MORE_CPU] = {"with {0} cores about {1} times the speed (Amdahl, {2} of the work ran "
                       "serially here); more jobs of this size take longer in proportion.",
                       "com {0} núcleos cerca de {1} vezes a velocidade (Amdahl: {2} do trabalho "
                       "rodou em série aqui); mais trabalhos deste tamanho demoram na proporção."},
    [TEXT_MORE_NO_GAIN] = {"more cores can help only if the jobs are independent and of equal "
                           "size.",
                           "mais núcleos só ajudam se os trabalhos forem independentes e de "
                           "tamanho igual."},
    [TEXT_MORE_MIXED] = {"the limit is now the CPU at {0} ({1} of CPU on {2} cores): more cores "
                         "help down to the longest job, {3}; more jobs fill the waits first.",
                         "o limite agora é a CPU em {0} ({1} de CPU em {2} núcleos): mais núcleos "
                         "ajudam até o trabalho mais longo, {3}; mais trabalhos ocupam primeiro as "
                         "esperas."},
    [TEXT_MORE_CONTENDED] = {"as threads, more cores or more jobs make it slower still. Give each "
                             "job data of its own and add up at the end: then {0} cores give up to "
                             "{1} times the speed.",
                             "com threads, mais núcleos ou mais trabalhos pioram. Dê a cada "
                             "trabalho dados próprios e some no fim: aí {0} núcleos dão até {1} "
                             "vezes a velocidade."},
    [TEXT_MORE_CONTENDED_STUCK] = {"nothing from more cores, until what the jobs share is found: "
                                   "a lock, a file, a device, memory bandwidth.",
                                   "nada de mais núcleos, até achar o que os trabalhos dividem: "
                                   "uma trava, um arquivo, um dispositivo, a memória."},

    [TEXT_TIMELINE] = {"Timeline of each job", "Linha do tempo de cada trabalho"},
    [TEXT_TIMELINE_SOME] = {"{0} of {1} jobs shown", "{0} de {1} trabalhos"},
    [TEXT_ZOOMED] = {"time axis widened {0} times", "eixo do tempo ampliado {0} vezes"},
    [TEXT_RUNNING] = {"running", "rodando"},
    [TEXT_READY] = {"ready, no core free", "pronto, sem núcleo livre"},
    [TEXT_BLOCKED] = {"waiting", "esperando"},
    [TEXT_STARTED] = {"started", "começou"},
    [TEXT_ENDED] = {"ended", "terminou"},
    [TEXT_JOB] = {"job", "trabalho"},
    [TEXT_JOBS] = {"jobs", "trabalhos"},
    [TEXT_RUNS] = {"runs", "execuções"},
    [TEXT_CORES_WORD] = {"cores", "núcleos"},
    [TEXT_FITS] = {"fits best", "serve melhor"},
    [TEXT_RESULTS] = {"Measured", "Medido"},
    [TEXT_SHAPES] = {"Side by side", "Lado a lado"},
    [TEXT_LESS_IS_BETTER] = {"less is better", "menos é melhor"},
    [TEXT_MORE_IS_BETTER] = {"more is better", "mais é melhor"},
    [TEXT_HOW] = {"How it was measured", "Como foi medido"},
    [TEXT_HOW_LONG] =
        {"Every run is a fresh program. Wall time goes from the first job's start to the join of "
         "all; CPU and switches count the whole process tree; peak memory is the proportional set "
         "size (PSS) of the tree, sampled; start-up is start and join of an empty job; waiting is "
         "the share of the jobs' lives in which they neither ran nor stood ready. Shown is the run "
         "with the median wall time.",
         "Cada execução é um programa novo. O tempo vai do início do primeiro trabalho até a "
         "espera "
         "por todos; CPU e trocas contam a árvore inteira de processos; o pico de memória é o PSS "
         "da árvore, por amostras; partida é iniciar e esperar um trabalho vazio; espera é a parte "
         "da vida dos trabalhos em que nem rodaram nem estavam prontos. Mostra-se a execução de "
         "tempo mediano."},
};

static int language(void)
{
    static const char *const names[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            return strncmp(value, "pt", 2) == 0 ? PORTUGUESE : ENGLISH;
    }
    return ENGLISH;
}

const char *urd__text(urd__text_id id)
{
    return id < TEXT_COMPARE_COUNT ? texts[id][language()]
                                   : urd__texts_advise[id - TEXT_ADVISE_FIRST][language()];
}

void urd__text_fill(char *out, size_t size, const char *text, const char *const *values, int n)
{
    size_t used = 0;
    while (*text && used + 1 < size) {
        if (text[0] == '{' && text[1] >= '0' && text[1] < '0' + n && text[2] == '}') {
            int more = snprintf(out + used, size - used, "%s", values[text[1] - '0']);
            used += more < 0 ? 0 : (size_t)more;
            text += 3;
        } else {
            out[used++] = *text++;
        }
    }
    out[used < size ? used : size - 1] = '\0';
}

void urd__text_number(char *out, size_t size, double value, int decimals)
{
    if (value < 0) {
        snprintf(out, size, "-");
        return;
    }
    snprintf(out, size, "%.*f", decimals, value);
    char *point = strchr(out, '.');
    if (point && language() == PORTUGUESE)
        *point = ',';
}

/* Three digits that count, and the unit. */
static void scaled(char *out, size_t size, double value, const char *unit)
{
    char number[40];
    urd__text_number(number, sizeof number, value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
    snprintf(out, size, "%s %s", number, unit);
}

void urd__text_duration(char *out, size_t size, int64_t duration)
{
    double ns = (double)duration;
    if (duration < 0)
        snprintf(out, size, "-");
    else if (duration < 1000)
        snprintf(out, size, "%d ns", (int)duration);
    else if (ns < 999.5e3)
        scaled(out, size, ns / 1e3, "µs");
    else if (ns < 999.5e6)
        scaled(out, size, ns / 1e6, "ms");
    else
        scaled(out, size, ns / 1e9, "s");
}

void urd__text_bytes(char *out, size_t size, int64_t bytes)
{
    double value = (double)bytes;
    if (bytes < 0)
        snprintf(out, size, "-");
    else if (value < 999.5 * 1024)
        scaled(out, size, value / 1024, "KiB");
    else if (value < 999.5 * 1024 * 1024)
        scaled(out, size, value / (1024 * 1024), "MiB");
    else
        scaled(out, size, value / (1024.0 * 1024 * 1024), "GiB");
}

void urd__text_percent(char *out, size_t size, double share)
{
    if (share < 0)
        snprintf(out, size, "-");
    else
        snprintf(out, size, "%.0f %%", share * 100);
}

/* Bytes of the UTF-8 character at p, or 0 if there is none that may be shown. */
static size_t character(const unsigned char *p)
{
    size_t more = p[0] < 0x80 ? 0 : p[0] >= 0xf0 ? 3 : p[0] >= 0xe0 ? 2 : 1;
    if (p[0] < 0x20 || p[0] == 0x7f || (p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i <= more; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    bool overlong = (p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xf0 && p[1] < 0x90);
    bool beyond = (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf4 && p[1] >= 0x90);
    bool control = p[0] == 0xc2 && p[1] < 0xa0;
    return overlong || beyond || control ? 0 : more + 1;
}

void urd__text_clean(char *text)
{
    for (unsigned char *p = (unsigned char *)text; *p;) {
        size_t bytes = character(p);
        if (bytes == 0)
            *p = '?';
        p += bytes ? bytes : 1;
    }
}

int urd__text_width(const char *text)
{
    int width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80; /* bytes that continue a character */
    return width;
}

void urd__text_cut(char *text, int columns)
{
    if (urd__text_width(text) <= columns)
        return;
    int width = 0;
    char *at = text;
    while (width < columns - 1 || ((unsigned char)*at & 0xc0) == 0x80)
        width += ((unsigned char)*++at & 0xc0) != 0x80;
    const char *mark = strlen(at) >= sizeof "…" - 1 ? "…" : "."; /* which must not be longer */
    memcpy(at, mark, strlen(mark) + 1);
}

static char *next(urd__values *v)
{
    return v->text[v->n++];
}

void urd__add_text(urd__values *v, const char *text)
{
    snprintf(next(v), VALUE_BYTES, "%s", text);
}

void urd__add_duration(urd__values *v, int64_t duration)
{
    urd__text_duration(next(v), VALUE_BYTES, duration);
}

void urd__add_bytes(urd__values *v, int64_t bytes)
{
    urd__text_bytes(next(v), VALUE_BYTES, bytes);
}

void urd__add_percent(urd__values *v, double share)
{
    urd__text_percent(next(v), VALUE_BYTES, share);
}

void urd__add_number(urd__values *v, double value, int decimals)
{
    urd__text_number(next(v), VALUE_BYTES, value, decimals);
}

void urd__fill(char *out, size_t size, urd__text_id id, const urd__values *v)
{
    const char *list[VALUES_MAX];
    for (int i = 0; i < v->n; i++)
        list[i] = v->text[i];
    urd__text_fill(out, size, urd__text(id), list, v->n);
}
