# SPDX-License-Identifier: ISC
#
# make             build (in a fresh clone: configure first)
# make check       unit tests, fuzz corpora; T=name runs one test of any kind
# make regress     these and the end-to-end tests (needs --enable-testing)
# make asan        tools/check: everything, from nothing, under sanitizers
# make soak        regress/soak: RELAYD_SOAK_SECONDS (600) of real time
# make check-front end-to-end tests through haproxy, before three members
# make torture     everything killed, stopped, refused for ten minutes
# make fuzz        each fuzz target for FUZZ_SECONDS (60)
# make fuzz-all    all of them for FUZZ_HOURS (1); fuzz-coverage: what they reach
# make bench       benchmarks (bench/README or bench/RESULTS.md)
# make bench-peers beside other tunnels on the PATH (bench/README.md)
# make analyze     gcc -fanalyzer, clang-tidy (CONTRIBUTING.md)
# make lint        that, clang's analyzer, cppcheck, mandoc
# make checklist   which contract lines the last run proved
# make install     DESTDIR= and configure's prefix; make uninstall
#
# Out of tree: mkdir build && cd build && ../configure && make
#
# Each directory has a short DIR.mk. A program's is one list of objects, which
# is the list of code an intruder finds in that process: adding to muxd's or
# termd's is a security decision. It sets
#
#	NAME_OBJS	every object, those of common/ by name
#	NAME_LIBS	$(EVENT_LIBS) and the like, see config.mk.in
#	NAME_STATIC	yes: static-pie (no libcrypto, no cjson there)
#
# Tests and fuzz targets have one fragment each: see regress/regress.mk and
# fuzz/fuzz.mk.

all:

# Where fuzz targets are built: make fuzz-coverage has a place of its own.
FUZZ_O ?= fuzz-obj

LLHTTP_OBJS = llhttp/api.o llhttp/http.o llhttp/llhttp.o

# Without config.mk, make builds it here by the rules below and starts over.
ifeq ($(wildcard config.mk),)
srcdir = .
endif
# These need no configuration, and must not make one.
ifneq ($(wildcard config.mk)$(filter-out asan checklist distclean,\
    $(or $(MAKECMDGOALS),all)),)
include config.mk
endif

.SUFFIXES:
.DELETE_ON_ERROR:
vpath %.c $(srcdir)
vpath %.y $(srcdir)

$(srcdir)/configure: $(srcdir)/configure.ac
	cd $(srcdir) && autoconf -o configure.$$$$ && mv configure.$$$$ configure

config.mk: $(srcdir)/configure $(srcdir)/config.mk.in $(srcdir)/config.h.in
	@if [ -x config.status ]; then \
		echo "./config.status --recheck && ./config.status"; \
		./config.status --recheck >/dev/null && \
		    ./config.status >/dev/null; \
	else \
		echo "$(srcdir)/configure"; $(srcdir)/configure; \
	fi
	@touch $@

# ---- programs ----

BIN =		relayd relayctl tunnel-client relay
LIBEXEC =	control authd muxd proxyd termd tcpd rendd metricd dialerd tlsd keyd paird storecopy doctor
ifneq ($(filter yes shared,$(CLIENT_ONLY)),)
BIN =		tunnel-client
LIBEXEC =
tunnel-client_STATIC = yes
endif
PROGRAMS =	$(BIN) $(LIBEXEC)
DIRS =		$(PROGRAMS) $(if $(LIBEXEC),librelay fuzz regress bench)
$(foreach p,$(BIN),$(eval OUT_$(p) = bin/$(p)))
$(foreach p,$(LIBEXEC),$(eval OUT_$(p) = libexec/$(p)))

# Headers of common/ are named from there ("base/log.h"), those of another room
# from the root ("authd/core/session.h"). The file's directory in both trees:
# generated sources include written headers and the other way round.
INCLUDES = -I. -I$(srcdir) -I$(srcdir)/common -I$(*D) -I$(srcdir)/$(*D) \
	$(LLHTTP_CFLAGS) $(PQ_CFLAGS)
PATHS = -DRELAYD_VERSION='"$(VERSION)"' \
	-DRELAYD_LIBEXECDIR='"$(libexecdir)/relayd"' \
	-DRELAY_PROGRAM='"$(bindir)/relay"' \
	-DRELAYD_PROGRAM='"$(sbindir)/relayd"' \
	-DRELAYD_CONF='"$(sysconfdir)/relayd.conf"' \
	-DRELAYD_SOCKET='"$(runstatedir)/relayd/control.sock"' \
	-DRELAYD_STATEDIR='"$(localstatedir)/lib/relayd"' \
	-DTUNNEL_CLIENT_CONF='"$(sysconfdir)/tunnel-client.conf"' \
	-DTUNNEL_CLIENT_SECRET='"$(sysconfdir)/tunnel-client.secret"' \
	-DTUNNEL_CLIENT_SOCKET='"$(runstatedir)/tunnel-client/status.sock"' \
	-DTUNNEL_CLIENT_STATEDIR='"$(localstatedir)/lib/tunnel-client"'
STD = -std=c11
# V=1 shows the commands.
Q = $(if $(V),,@)
SAY = $(if $(V),@:,@echo)
COMPILE = $(CC) $(STD) $(INCLUDES) $(RD_CPPFLAGS) $(PATHS) $(CPPFLAGS) \
	$(RD_CFLAGS) $(CFLAGS) -MMD -MP
LINK = $(CC) $(RD_CFLAGS) $(CFLAGS) $(RD_LDFLAGS) $(LDFLAGS)

define program
ifneq ($$(strip $$($(1)_OBJS)),)
BUILT += $$(OUT_$(1))
OBJS += $$($(1)_OBJS)
$$(OUT_$(1)): $$($(1)_OBJS) $$(filter %.a,$$($(1)_LIBS))
	@mkdir -p $$(@D)
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINK) $$(if $$($(1)_STATIC),$$(STATIC_LDFLAGS),$$(PIE_LDFLAGS)) \
	    -o $$@ $$($(1)_OBJS) $$($(1)_LIBS)
endif
endef

# common.mk first: it names groups of objects for the others.
-include $(srcdir)/common/common.mk
-include $(foreach d,$(DIRS),$(srcdir)/$(d)/$(d).mk)
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

LIBRELAY_SO = librelay.so.1
all: $(BUILT) $(if $(LIBEXEC),librelay/librelay.a librelay/$(LIBRELAY_SO))

# What others link: one object that needs nothing but the system's.
OBJS += librelay/librelay.o
librelay/librelay.o: RD_CFLAGS += -fPIC
librelay/librelay.a: librelay/librelay.o
	$(SAY) "  AR    $@"
	$(Q)rm -f $@ && $(AR) cr $@ librelay/librelay.o && $(RANLIB) $@
librelay/$(LIBRELAY_SO): librelay/librelay.o
	$(SAY) "  LINK  $@"
	$(Q)$(LINK) -shared -Wl,-soname,$(LIBRELAY_SO) -o $@ librelay/librelay.o

# `make muxd` for libexec/muxd. A directory of the name may exist in the tree.
.PHONY: $(PROGRAMS)
$(foreach p,$(PROGRAMS),$(eval $(p): $(OUT_$(p))))

%.o: %.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  CC    $@"
	$(Q)$(COMPILE) $(WARN_CFLAGS) -c -o $@ $<

# All that the programs of one daemon are made of (base/build.h); not what a
# build in the tree makes there.
BUILD_SRCS = $(filter-out %/parse.c %/parse.h,$(sort $(wildcard $(foreach d,$(filter-out fuzz regress bench,\
	$(DIRS)) common,$(foreach e,c h y def,$(srcdir)/$(d)/*.$(e) \
	$(srcdir)/$(d)/*/*.$(e) $(srcdir)/$(d)/*/*/*.$(e))))))
common/base/build.o: $(BUILD_SRCS)
common/base/build.o $(FUZZ_O)/common/base/build.o: PATHS += \
	-DRELAYD_BUILD='"$(shell cat $(BUILD_SRCS) | cksum | cut -d' ' -f1)"'

%/parse.c: %/parse.y
	@mkdir -p $(@D)
	$(SAY) "  YACC  $@"
	$(Q)$(BISON) -Wall -Werror -Wno-yacc --defines=$(@:.c=.h) -o $@ $<

# parse.h comes with parse.c, and must be there before others include it.
GRAMMAR = $(patsubst $(srcdir)/%.y,%.c,$(wildcard $(srcdir)/relayd/parse.y))
ifneq ($(GRAMMAR),)
$(addprefix relayd/,parse.h): $(GRAMMAR)
$(filter relayd/%,$(sort $(OBJS) $(FUZZ_OBJS:$(FUZZ_O)/%=%))): | $(GRAMMAR)
$(filter $(FUZZ_O)/relayd/%,$(sort $(FUZZ_OBJS))): | $(GRAMMAR)
endif

# The web console, for proxyd; by itself: make console. See console/build.
CONSOLE_SRCS = $(shell find $(srcdir)/console \
	\( -name node_modules -o -name dist \) -prune -o -type f -print)
console/out/console.def: $(CONSOLE_SRCS)
	$(SAY) "  NPM   $@"
	$(Q)sh $(srcdir)/console/build $(ENABLE_CONSOLE) console/out
.PHONY: console
console: console/out/console.def

# llhttp from its generated sources, which are not ours to warn about.
$(LLHTTP_OBJS): llhttp/%.o: $(LLHTTP_SRC)/%.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  CC    $@"
	$(Q)$(COMPILE) -w -c -o $@ $<
llhttp/libllhttp.a: $(LLHTTP_OBJS)
	$(SAY) "  AR    $@"
	$(Q)rm -f $@ && $(AR) cr $@ $(LLHTTP_OBJS) && $(RANLIB) $@

-include $(wildcard $(patsubst %.o,%.d,$(sort $(OBJS) $(LLHTTP_OBJS))))

# ---- tests ----

.PHONY: all check regress asan fuzz bench bench-peers lint checklist install install-systemd print-links sbom uninstall clean distclean

asan:
	cd $(srcdir) && sh tools/check

# R=results, or those of the last run here or of tools/check.
checklist:
	@sh $(srcdir)/tools/checklist $(or $(R),$(shell ls -dt results \
	    $(srcdir)/build/check/results 2>/dev/null | head -n 1),results)

# ---- lint ----

# What is written by hand: a build in the tree has relayd/parse.c as well.
LINT_DIRS = $(PROGRAMS) $(PROGRAMS:%=%/*) authd/store/* common/* librelay \
	bench fuzz regress/*
LINT_SRCS = $(filter-out %/parse.c,$(sort $(wildcard $(foreach d,$(LINT_DIRS),\
	$(srcdir)/$(d)/*.c))))
LINT_INCLUDES = -I. -I$(srcdir) -I$(srcdir)/common -I$(srcdir)/relayd \
	-I$(srcdir)/librelay
# cppcheck reads no system header but the one whose macros it must see.
QUEUE_H = $(firstword $(wildcard /usr/include/sys/queue.h \
	/usr/include/*/sys/queue.h))
lint: analyze $(addprefix lint-,clang cppcheck man circles citations)
.PHONY: analyze lint-clang lint-cppcheck lint-man lint-circles lint-citations
ANALYZE_FLAGS = $(STD) -Irelayd $(LINT_INCLUDES) $(LLHTTP_CFLAGS) $(PQ_CFLAGS) \
	$(RD_CPPFLAGS) $(PATHS) -DRELAYD_BUILD='"0"' \
	-DOPENAPI_YAML='"/dev/null"' -DCONSOLE_BIN='"/dev/null"' \
	-DSCHEMA_POSTGRESQL='"/dev/null"' \
	-DCONSOLE_DEF='"/dev/null"' -DCLIENT_UNIT='"/dev/null"' \
	-DCLIENT_PROCD='"/dev/null"' -DRELAYD_TESTING
# ANALYZE_JOBS at once. A="file ...": these alone; W=gcc, W=tidy: by one of them.
ANALYZE_JOBS = $(shell nproc 2>/dev/null || echo 2)
ANALYZE_WITH = $(subst ",\",$(ANALYZE_FLAGS))
analyze: $(GRAMMAR)
	@test -n "$(CLANG_TIDY)" -o "$(W)" = gcc || { echo "no clang-tidy"; exit 1; }
	$(Q)python3 $(srcdir)/tools/analyze -j $(ANALYZE_JOBS) \
	    -l $(srcdir)/tools/analyze.txt -o analyze-obj \
	    $(if $(or $(filter tidy,$(W)),$(findstring clang,$(CC))),,--gcc \
	    "$(CC) -O2 $(ANALYZE_WITH)") \
	    $(if $(filter gcc,$(W)),,--tidy \
	    "$(CLANG_TIDY) --checks=-clang-analyzer-* -- $(ANALYZE_WITH)") \
	    -E "$(CC) -E $(ANALYZE_WITH)" \
	    $(if $(A),$(A:%=$(srcdir)/%),$(LINT_SRCS))
# Clang's own analyzer, which takes several times as long; tests, too.
lint-clang: $(GRAMMAR)
	@test -n "$(CLANG_TIDY)" || { echo "no clang-tidy"; exit 1; }
	$(Q)python3 $(srcdir)/tools/analyze -j $(ANALYZE_JOBS) \
	    -l $(srcdir)/tools/clang.txt -o analyze-obj --tidy \
	    "$(CLANG_TIDY) --checks=-bugprone-*,-cert-* -- $(ANALYZE_WITH)" \
	    -E "$(CC) -E $(ANALYZE_WITH)" \
	    $(if $(A),$(A:%=$(srcdir)/%),$(LINT_SRCS))
lint-cppcheck:
	@test -n "$(CPPCHECK)" || { echo "no cppcheck"; exit 1; }
	$(CPPCHECK) --quiet --error-exitcode=1 --std=c11 --inline-suppr \
	    --enable=warning,portability \
	    --suppressions-list=$(srcdir)/tools/cppcheck.txt \
	    --library=posix,gnu --include=$(QUEUE_H) \
	    $(LINT_INCLUDES) -D_GNU_SOURCE -D__x86_64__ \
	    "-DcJSON_ArrayForEach(e, a)=while ((e = (a)->child) != NULL)" \
	    -DRELAYD_TESTING $(LINT_SRCS)
lint-man:
	@test -n "$(MANDOC)" || { echo "no mandoc"; exit 1; }
	$(if $(wildcard $(srcdir)/man/*.[1-9]),\
	    ! $(MANDOC) -Tlint $(wildcard $(srcdir)/man/*.[1-9]) 2>&1 | \
	    grep -v -e "referenced manual not found" -e "mandoc.db lacks")

# Needs the objects: files that use each other, names in two programs.
lint-circles: all
	python3 $(srcdir)/tools/circles $(srcdir)/tools/circles.txt \
	    $(foreach p,$(PROGRAMS),$(p) $(filter-out llhttp/%,$($(p)_OBJS)) --)

lint-citations:
	python3 $(srcdir)/tools/citations $(srcdir)

# ---- install ----

D = $(DESTDIR)
MAN1 = $(wildcard $(srcdir)/man/*.1)
MAN3 = $(wildcard $(srcdir)/man/*.3)
MAN5 = $(wildcard $(srcdir)/man/*.5)
MAN7 = $(wildcard $(srcdir)/man/*.7)
MAN8 = $(wildcard $(srcdir)/man/*.8)
EXAMPLES = $(filter-out %/schema %/container %/rpm %/openwrt,$(wildcard $(srcdir)/etc/*)) \
	$(wildcard $(srcdir)/etc/schema/*.sql)
DOCS = $(wildcard $(srcdir)/LICENSE $(srcdir)/CHANGELOG.md \
	$(srcdir)/doc/openapi.yaml)
# Texts name the paths of a default build; these are installed with its own.
TEXT_PATHS = -e 's|/usr/local/libexec/relayd|$(libexecdir)/relayd|g' \
	-e 's|/usr/local/sbin|$(sbindir)|g' -e 's|/usr/local/bin|$(bindir)|g' \
	-e 's|/usr/local/share/doc/relayd|$(docdir)|g' \
	-e 's|/etc/relayd\.conf|$(sysconfdir)/relayd.conf|g' \
	-e 's|/etc/relayd/|$(sysconfdir)/relayd/|g' \
	-e 's|/etc/tunnel-client\.|$(sysconfdir)/tunnel-client.|g' \
	-e 's|/var/lib/relayd|$(localstatedir)/lib/relayd|g' \
	-e 's|/run/relayd|$(runstatedir)/relayd|g' \
	-e 's|/run/tunnel-client|$(runstatedir)/tunnel-client|g' \
	-e 's|/var/lib/tunnel-client|$(localstatedir)/lib/tunnel-client|g'
# Completions, where the shells look for them.
COMPLETIONS = $(datadir)/bash-completion/completions/relayctl \
	$(datadir)/bash-completion/completions/tunnel-client \
	$(datadir)/bash-completion/completions/relay \
	$(datadir)/zsh/site-functions/_relayctl \
	$(datadir)/zsh/site-functions/_tunnel_client \
	$(datadir)/zsh/site-functions/_relay \
	$(datadir)/fish/vendor_completions.d/relayctl.fish \
	$(datadir)/fish/vendor_completions.d/tunnel-client.fish \
	$(datadir)/fish/vendor_completions.d/relay.fish
# $(call install_texts,FILES,DIRECTORY)
define install_texts
	for f in $(1); do sed $(TEXT_PATHS) "$$f" >$(D)$(2)/$${f##*/} && \
	    chmod 644 $(D)$(2)/$${f##*/} || exit 1; done
endef
# Where programs look for libraries; not for a package, whose own does that.
LDCONFIG = PATH="$$PATH:/usr/sbin:/sbin" ldconfig
define find_library
	@if [ -z "$(D)" ]; then \
		$(LDCONFIG) 2>/dev/null; \
		$(LDCONFIG) -p 2>/dev/null | \
		    grep -q " $(libdir)/$(LIBRELAY_SO)$$" || \
		    echo "programs do not look for $(LIBRELAY_SO) in $(libdir):" \
		    "add that to /etc/ld.so.conf.d and run ldconfig, or link" \
		    "with -Wl,-rpath,$(libdir)"; \
	fi
endef
install: all
	$(INSTALL) -d $(D)$(sbindir) $(D)$(bindir) $(D)$(libexecdir)/relayd \
	    $(D)$(libdir)/pkgconfig $(D)$(includedir) \
	    $(D)$(mandir)/man1 $(D)$(mandir)/man3 $(D)$(mandir)/man5 $(D)$(mandir)/man7 \
	    $(D)$(mandir)/man8 \
	    $(D)$(sysconfdir) $(D)$(docdir)/examples
	$(INSTALL) -m 755 bin/relayd bin/relayctl $(D)$(sbindir)
	$(INSTALL) -m 755 bin/tunnel-client bin/relay $(D)$(bindir)
	$(INSTALL) -m 755 $(addprefix libexec/,$(LIBEXEC)) \
	    $(D)$(libexecdir)/relayd
	$(call install_texts,$(MAN1),$(mandir)/man1)
	$(call install_texts,$(MAN3),$(mandir)/man3)
	$(call install_texts,$(MAN5),$(mandir)/man5)
	$(call install_texts,$(MAN7),$(mandir)/man7)
	$(call install_texts,$(MAN8),$(mandir)/man8)
	$(call install_texts,$(EXAMPLES),$(docdir)/examples)
	$(INSTALL) -m 644 $(DOCS) $(D)$(docdir)
	$(INSTALL) -m 644 $(srcdir)/librelay/librelay.h $(D)$(includedir)
	$(INSTALL) -m 644 librelay/librelay.a librelay/$(LIBRELAY_SO) \
	    $(D)$(libdir)
	ln -sf $(LIBRELAY_SO) $(D)$(libdir)/librelay.so
	$(INSTALL) -m 644 $(srcdir)/librelay/example.c \
	    $(D)$(docdir)/examples/librelay.c
	sed -e 's|@prefix@|$(prefix)|' -e 's|@libdir@|$(libdir)|' \
	    -e 's|@includedir@|$(includedir)|' -e 's|@VERSION@|$(VERSION)|' \
	    $(srcdir)/librelay/librelay.pc.in \
	    >$(D)$(libdir)/pkgconfig/librelay.pc
	chmod 644 $(D)$(libdir)/pkgconfig/librelay.pc
	for f in $(COMPLETIONS); do \
		case $$f in \
		*/bash-completion/*) shell=bash ;; \
		*/zsh/*) shell=zsh ;; \
		*) shell=fish ;; \
		esac; \
		case $$f in \
		*relayctl*) what="bin/relayctl completion $$shell" ;; \
		*tunnel*) what="bin/tunnel-client --completion $$shell" ;; \
		*) what="bin/relay completion $$shell" ;; \
		esac; \
		$(INSTALL) -d $(D)$${f%/*} && $$what >$(D)$$f && \
		    chmod 644 $(D)$$f || exit 1; \
	done
	$(if $(wildcard $(srcdir)/etc/relayd.conf),\
	    test -e $(D)$(sysconfdir)/relayd.conf || { \
	    $(INSTALL) -m 640 /dev/null $(D)$(sysconfdir)/relayd.conf && \
	    sed $(TEXT_PATHS) $(srcdir)/etc/relayd.conf \
	    >$(D)$(sysconfdir)/relayd.conf; })
	$(find_library)

# For packages: units, users and directories, where systemd looks for them.
# The users are those of the roles.
units = $(prefix)/lib
install-systemd:
	$(INSTALL) -d $(D)$(units)/systemd/system $(D)$(units)/sysusers.d \
	    $(D)$(units)/tmpfiles.d
	$(call install_texts,$(wildcard $(srcdir)/etc/*.service),$(units)/systemd/system)
	{ echo "g relayd -"; awk -F'[ ,"]+' '/^R\(/ && $$3 ~ /^_/ { print \
	    "u", $$3, "- \"relayd, " $$2 "\" /nonexistent /usr/sbin/nologin" }' \
	    $(srcdir)/common/proc/roles.def; } >$(D)$(units)/sysusers.d/relayd.conf
	{ echo "d $(runstatedir)/relayd 0755 root root -"; \
	echo "d $(localstatedir)/lib/relayd 0711 root root -"; } \
	    >$(D)$(units)/tmpfiles.d/relayd.conf
	chmod 644 $(D)$(units)/sysusers.d/relayd.conf \
	    $(D)$(units)/tmpfiles.d/relayd.conf

# What all that is made of, CycloneDX.
print-links:
	@$(foreach p,$(PROGRAMS),echo '$(p)|$($(p)_STATIC)|$($(p)_LIBS)|$($(p)_LATE)';)
sbom: all
	$(Q)python3 $(srcdir)/tools/sbom . relayd $(BUILT) >relayd.cdx.json.new && \
	    mv relayd.cdx.json.new relayd.cdx.json
	@echo relayd.cdx.json

# The configuration and the store are yours, and stay.
uninstall:
	rm -f $(addprefix $(D)$(sbindir)/,relayd relayctl) \
	    $(D)$(bindir)/tunnel-client $(D)$(bindir)/relay \
	    $(addprefix $(D)$(libexecdir)/relayd/,$(LIBEXEC)) \
	    $(addprefix $(D)$(mandir)/man1/,$(notdir $(MAN1))) \
	    $(D)$(includedir)/librelay.h $(D)$(libdir)/librelay.a \
	    $(D)$(libdir)/$(LIBRELAY_SO) $(D)$(libdir)/librelay.so \
	    $(D)$(libdir)/pkgconfig/librelay.pc \
	    $(D)$(docdir)/examples/librelay.c \
	    $(addprefix $(D)$(mandir)/man3/,$(notdir $(MAN3))) \
	    $(addprefix $(D)$(mandir)/man5/,$(notdir $(MAN5))) \
	    $(addprefix $(D)$(mandir)/man7/,$(notdir $(MAN7))) \
	    $(addprefix $(D)$(mandir)/man8/,$(notdir $(MAN8))) \
	    $(addprefix $(D)$(docdir)/examples/,$(notdir $(EXAMPLES))) \
	    $(addprefix $(D)$(docdir)/,$(notdir $(DOCS))) \
	    $(addprefix $(D),$(COMPLETIONS))
	-rmdir $(D)$(libexecdir)/relayd $(D)$(docdir)/examples $(D)$(docdir)

# ---- clean ----

clean:
	rm -rf bin libexec llhttp fuzz-obj fuzz-cov analyze-obj results console/out relayd.cdx.json
	rm -f librelay/librelay.a librelay/librelay.so.*
	rm -f relayd/parse.c relayd/parse.h $(UNIT_TESTS) $(UNIT_FAST_TESTS) \
	    $(FUZZ_REPLAYS)
	for d in common $(DIRS); do \
		[ ! -d $$d ] || find $$d \( -name '*.o' -o -name '*.d' \) \
		    -exec rm -f {} +; \
	done
	$(BENCH_CLEAN)

distclean: clean
	rm -f config.mk config.h config.log config.status
	rm -rf autom4te.cache
	if [ -f configure.ac ]; then rm -rf build configure; \
	else rm -f Makefile; fi
