# SPDX-License-Identifier: ISC

tunnel-client_PARTS = announce backoff bridge catalog child command \
	conffile connect consent diag duration firstline gate handshake \
	jsonend local main optionfile optionhelp optionrows options plugin \
	reason retryafter services shell status statussock stream system \
	talk termframe terminal ttyline tunnel when
# Programs that are run, services that are discovered, users.
tunnel-client_PARTS += capture discover discovered document findings jsontext \
	machine nethsec ns8 owned program routes survey userplug users usersdoc \
	usersfetch usersfile usersrun watch
# A service of it.
tunnel-client_PARTS += install installfile
tunnel-client/install.o: $(srcdir)/etc/tunnel-client.service \
	$(srcdir)/etc/tunnel-client.procd
tunnel-client/install.o: PATHS += \
	-DCLIENT_UNIT='"$(srcdir)/etc/tunnel-client.service"' \
	-DCLIENT_PROCD='"$(srcdir)/etc/tunnel-client.procd"'
# For tests: the options alone.
client_options_OBJS = $(addprefix tunnel-client/,options.o optionrows.o \
	optionfile.o optionhelp.o conffile.o duration.o) \
	common/net/proxy.o common/net/url.o common/base/log.o common/base/compat.o \
	common/base/secretfile.o common/base/target.o
tunnel-client_OBJS = $(tunnel-client_PARTS:%=tunnel-client/%.o) \
	common/base/clock.o common/base/compat.o common/base/log.o common/base/secretfile.o \
	common/base/target.o $(mux_OBJS) $(net_OBJS) $(net_VIA_OBJS) $(ws_accept_OBJS) $(head_OBJS)
tunnel-client_LIBS = $(LLHTTP_LIBS) -levent_extra $(EVENT_LIBS) \
	$(SODIUM_LIBS) $(CJSON_LIBS) $(HIREDIS_LIBS) -lutil
# OpenSSL once there is TLS to be done; as one file the program has it inside.
ifeq ($(TLS_LATE),yes)
tunnel-client_OBJS += common/net/late.o
tunnel-client_LIBS += $(DL_LIBS)
tunnel-client_LATE = $(SSL_LIBS)
else
tunnel-client_LIBS += $(SSL_LIBS)
endif
