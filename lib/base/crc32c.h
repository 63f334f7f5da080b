/* CRC-32C (Castagnoli, RFC 3720), the checksum of packed blocks. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* crc: 0, or the result for the bytes before. */
uint32_t crc32c(uint32_t crc, const void *data, size_t size);

#endif
