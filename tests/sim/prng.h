/* xoshiro256** with splitmix64 seeding: the only source of randomness in the simulator, so that a
 * seed is a schedule. Integers only: the same draw on every machine and compiler. */
#ifndef SIM_PRNG_H
#define SIM_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
	uint64_t s[4];
};

static inline void prng_init(struct prng *p, uint64_t seed)
{
	for (unsigned i = 0; i < 4; i++) {
		seed += UINT64_C(0x9e3779b97f4a7c15);
		uint64_t z = seed;
		z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
		z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
		p->s[i] = z ^ (z >> 31);
	}
}

static inline uint64_t prng_rotate(uint64_t x, unsigned by)
{
	return (x << by) | (x >> (64 - by));
}

static inline uint64_t prng_next(struct prng *p)
{
	uint64_t *s = p->s, ret = prng_rotate(s[1] * 5, 7) * 9, t = s[1] << 17;

	s[2] ^= s[0];
	s[3] ^= s[1];
	s[1] ^= s[2];
	s[0] ^= s[3];
	s[2] ^= t;
	s[3] = prng_rotate(s[3], 45);
	return ret;
}

/* In [low, high]; draws nothing when both are equal, which keeps fixed scripts free of randomness.
 */
static inline int64_t prng_range(struct prng *p, int64_t low, int64_t high)
{
	if (high <= low)
		return low;
	return low + (int64_t)(prng_next(p) % ((uint64_t)(high - low) + 1));
}

static inline bool prng_chance(struct prng *p, int64_t ppm)
{
	if (ppm <= 0)
		return false;
	return (int64_t)(prng_next(p) % 1000000) < ppm;
}

#endif
