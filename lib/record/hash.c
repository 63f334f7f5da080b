/* Ids and hashes of once/names.h. SHA-256 is libcrypto's, which libcurl has loaded anyway. */
#include <once/names.h>

#include <errno.h>
#include <openssl/evp.h>
#include <sys/random.h>

static void hex(char *out, const unsigned char *data, size_t size)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < size; i++) {
		*out++ = digits[data[i] >> 4];
		*out++ = digits[data[i] & 15];
	}
	*out = '\0';
}

int once_run_id_new(char out[ONCE_RUN_ID_SIZE])
{
	unsigned char random[(ONCE_RUN_ID_SIZE - 1) / 2];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	hex(out, random, sizeof(random));
	return 0;
}

static bool add(EVP_MD_CTX *digest, struct once_bytes part)
{
	unsigned char size[8];

	for (int i = 0; i < 8; i++)
		size[i] = (unsigned char)((uint64_t)part.size >> (8 * (7 - i)));
	return EVP_DigestUpdate(digest, size, sizeof(size)) == 1 &&
	       (part.size == 0 || EVP_DigestUpdate(digest, part.data, part.size) == 1);
}

int once_hash(char out[ONCE_HASH_SIZE], const struct once_bytes *parts, size_t n)
{
	unsigned char sum[(ONCE_HASH_SIZE - 1) / 2];
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool ok = digest && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1;

	for (size_t i = 0; ok && i < n; i++)
		ok = add(digest, parts[i]);
	ok = ok && EVP_DigestFinal_ex(digest, sum, NULL) == 1;
	EVP_MD_CTX_free(digest);
	if (!ok)
		return -ENOMEM;
	hex(out, sum, sizeof(sum));
	return 0;
}

int once_sha256(char out[ONCE_HASH_SIZE], struct once_bytes data)
{
	unsigned char sum[(ONCE_HASH_SIZE - 1) / 2];

	if (EVP_Digest(data.data, data.size, sum, NULL, EVP_sha256(), NULL) != 1)
		return -ENOMEM;
	hex(out, sum, sizeof(sum));
	return 0;
}
