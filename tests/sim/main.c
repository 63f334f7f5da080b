/* sim: plays seeded schedules and says how many jobs overlapped. A violation ends it with the seed
 * and the last lines of that schedule's trace. */
#include "sim.h"
#include "golden.h"
#include "replay.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAST_LINES = 40 };

struct run {
	struct sim_options options;
	uint64_t seeds, first;
	const char *mode; /* a profile's name, or mixed */
	const char *dump; /* where the ring of node a goes */
	bool trace, verbose, expect_violation, twice;
};

static struct sim sim; /* large; one at a time */
static struct sim_stats stats;

static struct ring {
	char lines[LAST_LINES][256];
	unsigned n;
} ring;

static void keep_line(void *userdata, const char *text)
{
	struct ring *r = userdata;
	(void)snprintf(r->lines[r->n++ % LAST_LINES], sizeof(r->lines[0]), "%s", text);
}

static void print_line(void *userdata, const char *text)
{
	(void)userdata;
	(void)puts(text);
}

static void play(const struct run *run, uint64_t seed, struct sim_stats *into)
{
	const struct sim_profile *profile = run->options.profile;

	if (!profile)
		profile = &sim_profiles[seed % 3];
	sim_init(&sim, seed, profile, run->options.nodes, into);
	sim.verbose = run->verbose;
	sim_schedule(&sim, &run->options);
	replay_end(&sim, run->dump);
	into->schedules++;
}

/* The schedule again, now with its trace: a seed is a schedule. */
static void explain(const struct run *run, uint64_t seed)
{
	struct sim_stats again = {0};
	unsigned from;

	ring.n = 0;
	sim.line = keep_line;
	sim.userdata = &ring;
	play(run, seed, &again);
	sim.line = NULL;
	from = ring.n > LAST_LINES ? ring.n - LAST_LINES : 0;
	for (unsigned i = from; i < ring.n; i++)
		(void)puts(ring.lines[i % LAST_LINES]);
	(void)printf("seed %llu, profile %s: %s\n", (unsigned long long)seed, sim.profile.name,
		sim.violation);
}

static void summary(double cpu)
{
	(void)printf("schedules %llu, events %llu, steps %llu\nfaults:",
		(unsigned long long)stats.schedules, (unsigned long long)stats.events,
		(unsigned long long)stats.steps);
	for (unsigned i = 0; i < FAULTS; i++)
		(void)printf(" %s %llu", fault_names[i], (unsigned long long)stats.faults[i]);
	(void)printf("\nrequests: duplicated %llu, applied late %llu, outcome unknown %llu\n",
		(unsigned long long)stats.duplicates, (unsigned long long)stats.late_applied,
		(unsigned long long)stats.unknown);
	(void)printf(
		"elections %llu, jobs %llu, seizures %llu, clean releases %llu, phantoms %llu, "
		"killed at the deadline %llu, by the fuse %llu\n",
		(unsigned long long)stats.elections, (unsigned long long)stats.launches,
		(unsigned long long)stats.seized, (unsigned long long)stats.cleaned,
		(unsigned long long)stats.phantoms, (unsigned long long)stats.guardian_kills,
		(unsigned long long)stats.fuses);
	(void)printf("job time %.1f %% of %.1f virtual hours, %.0f schedules/s of CPU\n",
		100.0 * (double)stats.job_time /
			(double)(stats.virtual_time ? stats.virtual_time : 1),
		(double)stats.virtual_time / SEC / 3600,
		(double)stats.schedules / (cpu > 0 ? cpu : 1e-9));
}

static double cpu_seconds(void)
{
	return (double)clock() / CLOCKS_PER_SEC;
}

/* The same seed must give the same steps, bit for bit. */
static bool same_twice(const struct run *run, uint64_t seed)
{
	struct sim_stats again = {0};
	uint64_t hash = sim.hash;

	play(run, seed, &again);
	if (sim.hash == hash)
		return true;
	(void)printf("seed %llu: not the same twice\n", (unsigned long long)seed);
	return false;
}

static int search(const struct run *run)
{
	double start = cpu_seconds();

	for (uint64_t seed = run->first; seed < run->first + run->seeds; seed++) {
		if (run->trace) {
			sim.line = print_line;
			sim.userdata = NULL;
		}
		play(run, seed, &stats);
		if (sim.violated) {
			if (!run->trace)
				explain(run, seed);
			(void)printf("violated after %llu schedules\n",
				(unsigned long long)stats.schedules);
			return run->expect_violation ? 0 : 1;
		}
		if (run->twice && !same_twice(run, seed))
			return 1;
	}
	summary(cpu_seconds() - start);
	replay_summary();
	(void)printf("overlaps 0\n");
	if (run->expect_violation)
		(void)printf("escaped: a violation was expected\n");
	return run->expect_violation ? 1 : 0;
}

/* ---- command line ---- */

static bool parse_faults(const char *text, uint32_t *ret)
{
	char copy[512], *save = NULL;

	if (strcmp(text, "all") == 0) {
		*ret = (1u << FAULTS) - 1;
		return true;
	}
	*ret = 0;
	if (strcmp(text, "none") == 0)
		return true;
	(void)snprintf(copy, sizeof(copy), "%s", text);
	for (char *word = strtok_r(copy, ",", &save); word; word = strtok_r(NULL, ",", &save)) {
		unsigned i = 0;

		while (i < FAULTS && strcmp(fault_names[i], word) != 0)
			i++;
		if (i == FAULTS)
			return false;
		*ret |= 1u << i;
	}
	return true;
}

static bool parse_profile(const char *text, struct run *run)
{
	run->options.profile = NULL;
	for (unsigned i = 0; i < 3; i++)
		if (strcmp(sim_profiles[i].name, text) == 0)
			run->options.profile = &sim_profiles[i];
	return run->options.profile || strcmp(text, "mixed") == 0;
}

static int usage(void)
{
	(void)fprintf(stderr, "usage: sim --seeds N [--seed FIRST] [--seconds 120] [--nodes 3]\n"
			      "           [--profile fast|normal|wan|mixed] [--faults "
			      "NAME,...|all|none] [--trace] [-v]\n"
			      "           [--at-once] [--twice] [--expect-violation]\n"
			      "           [--ring SEGMENTSxEVENTSxBYTES [--dump FILE]]\n"
			      "       sim --replay FILE [-v]\n"
			      "       sim --golden DIRECTORY [--update]\n");
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seeds", 1, 0, 'n'}, {"seed", 1, 0, 's'},
		{"seconds", 1, 0, 't'}, {"nodes", 1, 0, 'k'}, {"profile", 1, 0, 'p'},
		{"faults", 1, 0, 'f'}, {"trace", 0, 0, 'T'}, {"verbose", 0, 0, 'v'},
		{"expect-violation", 0, 0, 'x'}, {"twice", 0, 0, '2'}, {"golden", 1, 0, 'g'},
		{"update", 0, 0, 'u'}, {"ring", 1, 0, 'r'}, {"dump", 1, 0, 'd'},
		{"replay", 1, 0, 'R'}, {"at-once", 0, 0, 'a'}, {0, 0, 0, 0}};
	struct run run = {
		.seeds = 1, .options = {.seconds = 120, .start = 2 * SEC, .nodes = 3, .faults = (1u << FAULTS) - 1}};
	const char *golden = NULL, *replay = NULL;
	bool update = false, good = true;

	for (int c; (c = getopt_long(argc, argv, "v", options, NULL)) != -1;) {
		switch (c) {
		case 'n':
			run.seeds = strtoull(optarg, NULL, 10);
			break;
		case 's':
			run.first = strtoull(optarg, NULL, 10);
			break;
		case 't':
			run.options.seconds = strtoll(optarg, NULL, 10);
			break;
		case 'k':
			run.options.nodes = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			good = parse_profile(optarg, &run) && good;
			break;
		case 'f':
			good = parse_faults(optarg, &run.options.faults) && good;
			break;
		case 'T':
			run.trace = true;
			break;
		case 'v':
			run.verbose = true;
			break;
		case 'a':
			run.options.start = 0;
			break;
		case 'x':
			run.expect_violation = true;
			break;
		case '2':
			run.twice = true;
			break;
		case 'r':
			good = replay_rings(optarg) && good;
			break;
		case 'd':
			run.dump = optarg;
			break;
		case 'R':
			replay = optarg;
			break;
		case 'g':
			golden = optarg;
			break;
		case 'u':
			update = true;
			break;
		default:
			good = false;
			break;
		}
	}
	if (!good || optind < argc || run.options.nodes < 1 || run.options.nodes > SIM_NODES_MAX)
		return usage();
	if (replay) {
		sim.verbose = run.verbose;
		return replay_file(&sim, replay);
	}
	if (golden)
		return golden_all(&sim, golden, update);
	return search(&run);
}
