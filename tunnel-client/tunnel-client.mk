# SPDX-License-Identifier: ISC

tunnel-client_OBJS =
tunnel-client_LIBS = $(LLHTTP_LIBS) $(EVENT_LIBS) $(SODIUM_LIBS) $(SSL_LIBS) $(CJSON_LIBS)
