/* See generate.h. Each item has a random sequence of its own (splitmix64), begun from the seed and
 * its number. No two random numbers are drawn in one expression, since C leaves open which is
 * first.
 */
#include "tools/etcd-faker/generate.h"

#include <errno.h>
#include <string.h>

#include "base/number.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum { NUMBER_DIGITS = 12 };

static const char *const first_names[] = {"Ada", "Ben", "Carla", "Dmitri", "Elif", "Farid", "Grete",
	"Hugo", "Ines", "Jun", "Katja", "Liam", "Mira", "Nils", "Olga", "Pavel", "Quinn", "Rosa",
	"Sven", "Tara", "Umar", "Vera", "Wim", "Xenia", "Yusuf", "Zo\xc3\xab"};
static const char *const last_names[] = {"Abel", "Bauer", "Costa", "Dunne", "Eriksen", "Fischer",
	"Garcia", "Hansen", "Ivanova", "Jansen", "Kowalski", "Lindqvist", "Moreau", "Novak",
	"Okafor", "Petrov", "Rossi", "Santos", "Tanaka", "Ueda", "Varga", "Weber", "Yilmaz"};
static const char *const streets[] = {"Mill Lane", "Station Road", "Lindenallee", "Rue du Port",
	"Via Roma", "Harbour Street", "Kirkegata", "Oak Avenue", "Plaza Mayor", "Rosenweg"};
static const char *const cities[] = {"Aarhus", "Bergen", "Cork", "Dresden", "Espoo", "Florence",
	"Ghent", "Haarlem", "Izmir", "Jena", "Krakow", "Lyon", "Malaga", "Nantes", "Porto"};
static const char *const countries[] = {"AT", "BE", "CH", "DE", "DK", "ES", "FI", "FR", "IE", "IT",
	"NL", "NO", "PL", "PT", "SE", "TR"};
static const char *const goods[] = {"lamp", "chair", "kettle", "bicycle", "notebook", "backpack",
	"headphones", "jacket", "desk", "camera", "blanket", "clock", "teapot", "ladder"};
static const char *const kinds[] = {
	"login", "logout", "purchase", "refund", "view", "search", "upload", "error"};
static const char *const words[] = {"the", "a", "quiet", "river", "runs", "under", "old", "bridge",
	"and", "nobody", "counts", "stones", "while", "evening", "comes", "slowly", "over", "town",
	"with", "light", "wind", "from", "north", "where", "ships", "wait", "for", "morning",
	"boats", "carry", "salt", "bread", "letters", "home"};

static uint64_t next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

/* 0 to n - 1. */
static uint32_t below(uint64_t *state, uint32_t n)
{
	return (uint32_t)(((next(state) >> 32) * n) >> 32);
}

#define PICK(state, list) (list)[below(state, COUNT(list))]

static void add_words(uint64_t *state, struct buf *out, size_t until)
{
	do {
		if (out->size > 0 && out->data[out->size - 1] != '"')
			(void)buf_putc(out, ' ');
		(void)buf_puts(out, PICK(state, words));
		if (below(state, 9) == 0)
			(void)buf_putc(out, '.');
	} while (out->size < until && !buf_error(out));
}

/* 2024-01-01 and two years on. */
static void add_time(uint64_t *state, struct buf *out)
{
	unsigned day = below(state, 28) + 1, month = below(state, 12) + 1, year = below(state, 2);
	unsigned hour = below(state, 24), minute = below(state, 60), second = below(state, 60);

	(void)buf_printf(out, "\"%u-%02u-%02uT%02u:%02u:%02uZ\"", 2024 + year, month, day, hour,
		minute, second);
}

static void add_address(uint64_t *state, struct buf *out)
{
	(void)buf_printf(out, "\"street\":\"%s", PICK(state, streets));
	(void)buf_printf(out, " %u\"", below(state, 200) + 1);
	(void)buf_printf(out, ",\"city\":\"%s\"", PICK(state, cities));
	(void)buf_printf(out, ",\"zip\":\"%05u\"", below(state, 100000));
	(void)buf_printf(out, ",\"country\":\"%s\"", PICK(state, countries));
}

static void add_person(uint64_t *state, struct buf *out)
{
	const char *first = PICK(state, first_names), *last = PICK(state, last_names);

	(void)buf_printf(out, "\"name\":\"%s %s\"", first, last);
	(void)buf_printf(
		out, ",\"email\":\"%c%s%u@example.org\"", first[0], last, below(state, 1000));
	(void)buf_printf(out, ",\"age\":%u", 18 + below(state, 70));
	(void)buf_puts(out, ",\"address\":{");
	add_address(state, out);
	(void)buf_puts(out, "}");
}

static void add_order(uint64_t *state, struct buf *out)
{
	unsigned cents = 99 + below(state, 99900), pieces = below(state, 9) + 1;

	(void)buf_printf(out, "\"customer\":\"%s", PICK(state, first_names));
	(void)buf_printf(out, " %s\"", PICK(state, last_names));
	(void)buf_printf(out, ",\"item\":\"%s\",\"quantity\":%u", PICK(state, goods), pieces);
	(void)buf_printf(out, ",\"price\":%u.%02u,\"currency\":\"EUR\"", cents / 100, cents % 100);
	(void)buf_printf(out, ",\"paid\":%s,\"ordered\":", below(state, 2) ? "true" : "false");
	add_time(state, out);
}

static void add_event(uint64_t *state, struct buf *out)
{
	(void)buf_printf(out, "\"kind\":\"%s\"", PICK(state, kinds));
	(void)buf_printf(out, ",\"user\":%u", below(state, 100000));
	(void)buf_printf(out, ",\"session\":\"%016llx\"", (unsigned long long)next(state));
	(void)buf_printf(out, ",\"took_ms\":%u,\"at\":", below(state, 2000));
	add_time(state, out);
}

static const struct {
	const char *name;
	void (*add)(uint64_t *state, struct buf *out);
} documents[] = {
	{"person", add_person},
	{"order", add_order},
	{"address", add_address},
	{"event", add_event},
};

static void make_json(
	uint64_t *state, uint64_t number, uint32_t bytes, struct buf *key, struct buf *value)
{
	uint32_t which = below(state, COUNT(documents));

	(void)buf_printf(key, "json/%s/", documents[which].name);
	(void)buf_printf(value, "{\"id\":%llu,\"type\":\"%s\",", (unsigned long long)number,
		documents[which].name);
	documents[which].add(state, value);
	if (value->size + 12 < bytes) {
		(void)buf_puts(value, ",\"note\":\"");
		add_words(state, value, bytes - 2);
		(void)buf_putc(value, '"');
	}
	(void)buf_putc(value, '}');
}

static void make_binary(uint64_t *state, uint32_t bytes, struct buf *value)
{
	unsigned char *out = buf_extend(value, bytes);

	for (uint32_t i = 0; out && i < bytes; i += 8) {
		uint64_t random = next(state);

		memcpy(out + i, &random, bytes - i < 8 ? bytes - i : 8);
	}
	/* Bytes that look like text would be none. */
	if (out && bytes > 0)
		out[0] = 0xff;
}

void fake_item(const struct fake_mix *mix, uint64_t number, struct buf *key, struct buf *value)
{
	uint64_t state = mix->seed ^ (number * UINT64_C(0xd1342543de82ef95));
	uint32_t which;

	(void)next(&state);
	which = below(&state, mix->json + mix->text + mix->binary);
	if (which < mix->json) {
		make_json(&state, number, mix->value_bytes, key, value);
	} else if (which < mix->json + mix->text) {
		(void)buf_puts(key, "text/");
		add_words(&state, value,
			mix->value_bytes ? mix->value_bytes : 100 + below(&state, 200));
	} else {
		(void)buf_puts(key, "binary/");
		make_binary(&state, mix->blob_bytes, value);
	}
	(void)buf_printf(key, "%0*llu", NUMBER_DIGITS, (unsigned long long)number);
}

int fake_number(const void *key, size_t size, uint64_t *ret)
{
	const char *text = (const char *)key + size - NUMBER_DIGITS;
	uint64_t number = 0;

	if (size < NUMBER_DIGITS)
		return -EINVAL;
	for (int i = 0; i < NUMBER_DIGITS; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (uint64_t)(text[i] - '0');
	}
	*ret = number;
	return 0;
}
