/* SPDX-License-Identifier: ISC */
/* etc/schema/postgresql.sql is in the program, byte by byte. */
#include "pg.h"

__asm__(".pushsection .rodata\n"
    ".globl pg_schema\n"
    "pg_schema: .incbin \"" SCHEMA_POSTGRESQL "\"\n"
    ".byte 0\n"
    ".popsection\n");
