/* A few threads that share out the units of a job. Whoever starts a job works on it too, and waits for units that are
 * being worked on, never for a thread that has none: one that does not get a core holds nobody up. Threads without
 * work look for some for a moment, then sleep. One job at a time: a pass that finds the pool taken works alone. */
#include "native_plan.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>

#define MOST_THREADS 64
#define LOOKS 4000 /* for work, before sleeping: some 50 microseconds */

static struct {
    pthread_mutex_t owner, sleep;
    pthread_cond_t wake;
    int threads; /* the owner counts as one; 0 before any was started */
    _Atomic uint64_t ticket; /* the job's number, and in the lower half its next unit */
    _Atomic(Job) job;
    _Atomic(void *) about;
    _Atomic uint32_t units, done;
    _Atomic int sleeping;
} pool = {.owner = PTHREAD_MUTEX_INITIALIZER, .sleep = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static inline void pause_a_little(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Work on what is left; whether there was anything. The job is read before its unit is taken: had another taken its
 * place meanwhile, the ticket would not be the same. */
static int work_some(int worker) {
    int some = 0;
    for (;;) {
        uint64_t ticket = atomic_load(&pool.ticket);
        Job job = atomic_load(&pool.job);
        void *about = atomic_load(&pool.about);
        if ((uint32_t)ticket >= atomic_load(&pool.units)) return some;
        if (!atomic_compare_exchange_weak(&pool.ticket, &ticket, ticket + 1)) continue;
        job(about, (uint32_t)ticket, worker);
        atomic_fetch_add(&pool.done, 1);
        some = 1;
    }
}

static void *serve(void *given) {
    int worker = (int)(intptr_t)given;
    for (int looks = 0;; looks++) {
        if (work_some(worker)) looks = 0;
        if (looks < LOOKS) {
            pause_a_little();
            continue;
        }
        pthread_mutex_lock(&pool.sleep);
        atomic_fetch_add(&pool.sleeping, 1);
        while ((uint32_t)atomic_load(&pool.ticket) >= atomic_load(&pool.units)) pthread_cond_wait(&pool.wake, &pool.sleep);
        atomic_fetch_sub(&pool.sleeping, 1);
        pthread_mutex_unlock(&pool.sleep);
        looks = 0;
    }
    return NULL;
}

/* A child has none of its parent's threads. */
static void forget_threads(void) {
    pthread_mutex_init(&pool.owner, NULL);
    pthread_mutex_init(&pool.sleep, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pool.threads = 0;
    atomic_store(&pool.units, 0);
    atomic_store(&pool.sleeping, 0);
}

int take_pool(int wanted) {
    static int told = 0;
    if (wanted > MOST_THREADS) wanted = MOST_THREADS;
    if (wanted < 2 || pthread_mutex_trylock(&pool.owner)) return 1;
    if (!told) told = !pthread_atfork(NULL, NULL, forget_threads);
    if (!pool.threads) pool.threads = 1;
    /* Signals are for the threads of the program. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; pool.threads < wanted; pool.threads++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)pool.threads)) break;
        pthread_detach(thread);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (pool.threads > 1) return pool.threads;
    pthread_mutex_unlock(&pool.owner);
    return 1;
}

void give_pool(void) {
    pthread_mutex_unlock(&pool.owner);
}

void share_out(int workers, int64_t units, Job job, void *about) {
    if (workers < 2 || units < 2) {
        for (int64_t unit = 0; unit < units; unit++) job(about, unit, 0);
        return;
    }
    atomic_store(&pool.job, job);
    atomic_store(&pool.about, about);
    atomic_store(&pool.done, 0);
    /* No thread may take a unit of the old job's number between the two. */
    uint64_t number = (atomic_load(&pool.ticket) >> 32) + 1;
    atomic_store(&pool.ticket, number << 32 | UINT32_MAX);
    atomic_store(&pool.units, (uint32_t)units);
    atomic_store(&pool.ticket, (number + 1) << 32);
    if (atomic_load(&pool.sleeping)) {
        pthread_mutex_lock(&pool.sleep);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.sleep);
    }
    work_some(0);
    for (int looks = 0; atomic_load(&pool.done) < (uint32_t)units; looks++) {
        if (looks < LOOKS) pause_a_little();
        else sched_yield();
    }
}
