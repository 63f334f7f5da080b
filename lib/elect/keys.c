/* Names and values of the group's keys. */
#include "elect/keys.h"

#include "base/duration.h"
#include "base/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What must be equal on every node, because a waiter relies on the timing of the one before it. The
 * key is in it so that two keys never share a group's state. */
static int config_value(char **ret, const struct once_elector_config *config)
{
	char fence[DURATION_TEXT_MAX], beat[DURATION_TEXT_MAX];
	const struct once_timing *t = &config->timing;

	return asprintf(ret,
		"key=%s lease-ttl=%llds fence-after=%s beat-interval=%s clock-drift=%dppm", config->key,
		(long long)t->lease_ttl_s, duration_format(fence, t->fence_after_ns),
		duration_format(beat, t->beat_interval_ns), (int)t->clock_drift_ppm);
}

int keys_init(struct keys *keys, const struct once_elector_config *config)
{
	int r = 0;

	memset(keys, 0, sizeof(*keys));
	keys->leader = strdup(config->key);
	r |= asprintf(&keys->group, "%s/g/%s/", config->prefix, config->group);
	r |= asprintf(&keys->beats, "%s/beat/", config->prefix);
	r |= asprintf(&keys->config, "%s/g/%s/config", config->prefix, config->group);
	r |= asprintf(&keys->epoch, "%s/g/%s/epoch", config->prefix, config->group);
	r |= asprintf(&keys->clean, "%s/g/%s/clean", config->prefix, config->group);
	r |= asprintf(&keys->reserve, "%s/g/%s/reserve", config->prefix, config->group);
	r |= asprintf(&keys->ended, "%s/g/%s/ended", config->prefix, config->group);
	r |= asprintf(&keys->handover, "%s/g/%s/handover", config->prefix, config->group);
	r |= asprintf(&keys->beat, "%s/beat/%s/%s", config->prefix, config->node, config->group);
	r |= asprintf(&keys->registration, "%s/nodes/%s", config->prefix, config->node);
	r |= config_value(&keys->config_value, config);
	if (r >= 0 && keys->leader)
		return 0;
	keys_fini(keys);
	return -ENOMEM;
}

void keys_fini(struct keys *keys)
{
	free(keys->leader);
	free(keys->group);
	free(keys->beats);
	free(keys->config);
	free(keys->epoch);
	free(keys->clean);
	free(keys->reserve);
	free(keys->ended);
	free(keys->handover);
	free(keys->beat);
	free(keys->registration);
	free(keys->config_value);
	memset(keys, 0, sizeof(*keys));
}

static int written(int n, size_t size)
{
	return n < 0 || (size_t)n >= size ? -E2BIG : n;
}

/* The present moment by this node's clock, for people. */
static const char *say_now(char out[32])
{
	time_t now = time(NULL);
	struct tm tm;

	out[0] = '\0';
	if (gmtime_r(&now, &tm))
		(void)strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
	return out;
}

int keys_epoch_write(char *out, size_t size, uint64_t incarnation, const char *node,
	const char *address, const char *beat)
{
	char when[32];

	return written(snprintf(out, size, "incarnation=%016llx beat=%s node=%s since=%s address=%s",
			       (unsigned long long)incarnation, beat, node, say_now(when), address),
		size);
}

static bool hex_read(uint64_t *ret, const char *text)
{
	uint64_t value = 0;

	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *at = text[i] ? strchr(digits, text[i]) : NULL;
		if (!at)
			return false;
		value = value << 4 | (uint64_t)(at - digits);
	}
	*ret = value;
	return value != 0;
}

bool keys_epoch_read(struct keys_epoch *ret, struct once_bytes value)
{
	static const char first[] = "incarnation=", second[] = " beat=";
	char text[KEYS_VALUE_MAX];
	char *beat;
	size_t n;

	if (value.size == 0 || value.size >= sizeof(text) || memchr(value.data, '\0', value.size))
		return false;
	memcpy(text, value.data, value.size);
	text[value.size] = '\0';
	if (strncmp(text, first, sizeof(first) - 1) != 0 ||
		!hex_read(&ret->incarnation, text + sizeof(first) - 1))
		return false;
	beat = text + sizeof(first) - 1 + 16;
	if (strncmp(beat, second, sizeof(second) - 1) != 0)
		return false;
	beat += sizeof(second) - 1;
	n = strcspn(beat, " ");
	if (n == 0 || n >= sizeof(ret->beat))
		return false;
	memcpy(ret->beat, beat, n);
	ret->beat[n] = '\0';
	return true;
}

int keys_registration_write(char *out, size_t size, uint64_t incarnation, const char *address)
{
	return written(snprintf(out, size, "incarnation=%016llx address=%s",
			       (unsigned long long)incarnation, address),
		size);
}

bool keys_registration_read(uint64_t *ret_incarnation, struct once_bytes value)
{
	static const char first[] = "incarnation=";
	size_t n = sizeof(first) - 1;

	return value.size >= n + 16 && memcmp(value.data, first, n) == 0 &&
		hex_read(ret_incarnation, (const char *)value.data + n);
}

int keys_beat_write(char *out, size_t size, uint64_t incarnation, uint64_t number)
{
	return written(snprintf(out, size, "%016llx %llu", (unsigned long long)incarnation,
			       (unsigned long long)number),
		size);
}

bool keys_beat_read(uint64_t *ret_incarnation, struct once_bytes value)
{
	const char *text = value.data;
	uint64_t number;

	return value.size > 17 && text[16] == ' ' &&
		number_parse_u64(text + 17, value.size - 17, &number) == 0 &&
		hex_read(ret_incarnation, text);
}

int keys_ended_write(char *out, size_t size, int64_t token, const char *by, const char *reason)
{
	char when[32];

	return written(snprintf(out, size, "token=%lld by=%s reason=%s at=%s", (long long)token, by,
			       reason, say_now(when)),
		size);
}

int keys_generation_write(char *out, size_t size, int64_t above, const char *by, const char *reason)
{
	char when[32];

	return written(snprintf(out, size, "above=%lld by=%s at=%s reason=%s", (long long)above, by,
			       say_now(when), reason),
		size);
}

bool keys_generation_read(struct keys_generation *ret, const struct once_kv *kv)
{
	static const char first[] = "above=";
	const char *text = kv->value.data, *end;
	size_t n = sizeof(first) - 1;

	if (kv->value.size <= n || memcmp(text, first, n) != 0)
		return false;
	end = memchr(text, ' ', kv->value.size);
	if (!end || number_parse_i64(text + n, (size_t)(end - text) - n, &ret->above) < 0 ||
		ret->above < 0 || kv->mod_revision <= ret->above) {
		ret->above = 0;
		return false;
	}
	return true;
}

int keys_alarm_write(char *out, size_t size, const struct once_lineage *known)
{
	char when[32];

	return written(snprintf(out, size, "revision=%lld cluster=%016llx since=%s",
			       (long long)known->revision, (unsigned long long)known->cluster_id,
			       say_now(when)),
		size);
}

int keys_clean_write(char *out, size_t size, int64_t token)
{
	return written(snprintf(out, size, "%lld", (long long)token), size);
}

bool keys_clean_read(int64_t *ret_token, struct once_bytes value)
{
	return value.size != 0 && number_parse_i64(value.data, value.size, ret_token) == 0;
}
