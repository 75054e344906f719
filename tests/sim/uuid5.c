/* UUID version 5 over SHA-1 (FIPS 180-4), for names of at most two blocks. */
#include "uuid5.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static void add_block(uint32_t h[5], const uint8_t block[64]) {
    uint32_t w[80];
    for (unsigned i = 0; i < 16; i++)
        w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
               (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
    for (unsigned i = 16; i < 80; i++)
        w[i] = rotate(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
    uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
    for (unsigned i = 0; i < 80; i++) {
        uint32_t f, k;
        if (i < 20)
            f = (b & c) | (~b & d), k = 0x5A827999;
        else if (i < 40)
            f = b ^ c ^ d, k = 0x6ED9EBA1;
        else if (i < 60)
            f = (b & c) | (b & d) | (c & d), k = 0x8F1BBCDC;
        else
            f = b ^ c ^ d, k = 0xCA62C1D6;
        uint32_t next = rotate(a, 5) + f + e + k + w[i];
        e = d, d = c, c = rotate(b, 30), b = a, a = next;
    }
    h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

void ms_uuid5(const char *name, char text[37]) {
    uint32_t h[5] = {0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
    uint8_t blocks[128] = {0};
    size_t length = strnlen(name, 119), used = length < 56 ? 64 : 128;
    memcpy(blocks, name, length);
    blocks[length] = 0x80;
    blocks[used - 2] = (uint8_t)(length * 8 >> 8);
    blocks[used - 1] = (uint8_t)(length * 8);
    for (size_t at = 0; at < used; at += 64)
        add_block(h, blocks + at);
    uint32_t versioned = (h[1] & 0xFFFF0FFF) | 0x5000, variant = (h[2] & 0x3FFFFFFF) | 0x80000000;
    snprintf(text, 37, "%08x-%04x-%04x-%04x-%04x%08x", h[0], versioned >> 16, versioned & 0xFFFF,
             variant >> 16, variant & 0xFFFF, h[3]);
}
