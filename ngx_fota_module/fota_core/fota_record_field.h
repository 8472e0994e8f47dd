/*
 * Copyright (C) FOTA Edge
 * SPDX-License-Identifier: Apache-2.0
 */


/*
 * Inside of the record codecs: the frame "u8 table | u8 version" and checked
 * fields, used by the encoders and decoders of fota_record_*.c alone.
 */

#ifndef FOTA_RECORD_FIELD_H
#define FOTA_RECORD_FIELD_H

#include "fota_record.h"

#define FOTA_RECORD_VERSION  1
#define FOTA_FORMAT_MAX      64         /* bytes of a format's name */
#define FOTA_TEXT_MAX        256        /* bytes of other short texts */
#define FOTA_DN_MAX          512        /* bytes of an issuer */

/* Encoding: the first error stays, and nothing is left behind. */

typedef struct {
    fota_buf_t     *out;
    size_t          start;
    fota_status_e   status;
} fota_enc_t;

void fota_enc_begin(fota_enc_t *e, fota_buf_t *out, fota_table_e table);
int fota_enc_end(fota_enc_t *e);
void fota_enc_fail(fota_enc_t *e, fota_status_e st);
void fota_enc_str(fota_enc_t *e, fota_str_t s, size_t max);
/* A string that must not be empty. */
void fota_enc_name(fota_enc_t *e, fota_str_t s, size_t max);
void fota_enc_count(fota_enc_t *e, size_t n, size_t max);
/* A list of at most max names of at most len bytes. */
void fota_enc_names(fota_enc_t *e, const fota_str_t *names, size_t n,
    size_t max, size_t len);
/* A value below n. */
void fota_enc_enum(fota_enc_t *e, uint8_t v, uint8_t n);
/* A NUL-terminated text in an array of size bytes. */
void fota_enc_chars(fota_enc_t *e, const char *s, size_t size);
/* Finite and within +- limit. */
void fota_enc_double(fota_enc_t *e, double v, double limit);
void fota_enc_code(fota_enc_t *e, fota_str_t code);

/* Decoding: errors are sticky in the reader. */

void fota_dec_begin(fota_rd_t *rd, fota_str_t in, fota_table_e table);
int fota_dec_end(fota_rd_t *rd);
fota_str_t fota_dec_name(fota_rd_t *rd, size_t max);
/*
 * A count and its array of zeroed elements; min is the least an element
 * takes in the input, so that a short input cannot ask for much memory.
 */
uint16_t fota_dec_array(fota_rd_t *rd, fota_mem_t *mem, uint32_t max,
    size_t min, size_t size, void *array);
uint16_t fota_dec_names(fota_rd_t *rd, fota_mem_t *mem, uint32_t max,
    size_t len, fota_str_t **names);
uint8_t fota_dec_enum(fota_rd_t *rd, uint8_t n);
uint8_t fota_dec_bits(fota_rd_t *rd, uint8_t mask);
void fota_dec_chars(fota_rd_t *rd, char *out, size_t size);
double fota_dec_double(fota_rd_t *rd, double limit);
fota_str_t fota_dec_code(fota_rd_t *rd);
void fota_dec_copy(fota_rd_t *rd, void *out, size_t n);

/*
 * Are the ends of an artifact firmware of one kind, and different?  Shared
 * by encoder and index, so that both refuse the same.
 */
bool fota_artifact_valid(const fota_product_t *p, const fota_artifact_t *a);

#endif /* FOTA_RECORD_FIELD_H */
