/* What json_check() lets through cJSON parses: its failure then means no memory, and nothing else.
 */
#include "etcd/codec-json.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;

	if (json_check(text, size) == 0) {
		cJSON *root = cJSON_ParseWithLengthOpts(text, size, NULL, 0);

		require(root);
		cJSON_Delete(root);
	}
	return 0;
}
