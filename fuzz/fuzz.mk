# SPDX-License-Identifier: ISC
#
# A fuzz target is fuzz/NAME.c with LLVMFuzzerTestOneInput() (fuzz.h), a fragment
# fuzz/NAME.mk of one line and seeds in fuzz/corpus/NAME/:
#
#	$(eval $(call fuzz_target,yamux,common/yamux/yamux.o common/base/compat.o,))
#
# name, the objects it links, libraries. `make fuzz` builds all of them with
# libFuzzer under fuzz-obj/ and runs each for FUZZ_SECONDS (F=name: only that
# one). `make check` replays the seeds, cut short and with flipped bits, through
# fuzz/NAME_replay, built like everything else.

FUZZ_SECONDS ?= 60
FUZZ_SAN = -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all
FUZZ_CFLAGS = -O1 -g -fno-omit-frame-pointer
FUZZ_COMPILE = $(FUZZ_CC) $(STD) $(INCLUDES) -D_GNU_SOURCE -DRELAYD_TESTING \
	-DRELAYD_SANITIZE -DRELAYD_FUZZ $(PATHS) $(CPPFLAGS) $(FUZZ_CFLAGS) \
	$(FUZZ_SAN) -MMD -MP

define fuzz_target
FUZZ_TARGETS += $(1)
FUZZ_REPLAYS += fuzz/$(1)_replay
OBJS += fuzz/$(1).o $(2)
FUZZ_OBJS += fuzz-obj/fuzz/$(1).o $(addprefix fuzz-obj/,$(2))
fuzz/$(1)_replay: fuzz/replay_main.o fuzz/$(1).o $(2) $$(filter %.a,$(3))
	@mkdir -p $$(@D)
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(LINK) $$(PIE_LDFLAGS) -o $$@ fuzz/replay_main.o fuzz/$(1).o $(2) $(3)
fuzz-obj/$(1): fuzz-obj/fuzz/$(1).o $(addprefix fuzz-obj/,$(2)) \
    $$(addprefix fuzz-obj/,$$(filter %.a,$(3)))
	$$(SAY) "  LINK  $$@"
	$$(Q)$$(FUZZ_CC) $$(FUZZ_CFLAGS) -fsanitize=fuzzer,address,undefined \
	    -o $$@ fuzz-obj/fuzz/$(1).o $(addprefix fuzz-obj/,$(2)) \
	    $$(patsubst %.a,fuzz-obj/%.a,$(3))
endef

OBJS += fuzz/replay_main.o
# LLVMFuzzerTestOneInput() is declared in nobody's header.
fuzz/%.o: WARN_CFLAGS += -Wno-missing-prototypes
-include $(filter-out %/fuzz.mk,$(wildcard $(srcdir)/fuzz/*.mk))

fuzz-obj/%.o: %.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  FUZZ  $@"
	$(Q)$(FUZZ_COMPILE) -c -o $@ $<
FUZZ_LLHTTP = $(addprefix fuzz-obj/,$(LLHTTP_OBJS))
$(FUZZ_LLHTTP): fuzz-obj/llhttp/%.o: $(LLHTTP_SRC)/%.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  FUZZ  $@"
	$(Q)$(FUZZ_COMPILE) -w -c -o $@ $<
fuzz-obj/llhttp/libllhttp.a: $(FUZZ_LLHTTP)
	$(SAY) "  AR    $@"
	$(Q)rm -f $@ && $(AR) cr $@ $(FUZZ_LLHTTP)

-include $(wildcard $(patsubst %.o,%.d,$(sort $(FUZZ_OBJS) $(FUZZ_LLHTTP))))

FUZZ_RUN = $(if $(F),$(F),$(FUZZ_TARGETS))
.PHONY: fuzz-build
fuzz-build: $(addprefix fuzz-obj/,$(FUZZ_RUN))

# New inputs go to fuzz-obj/found/NAME; what is worth keeping is copied to
# fuzz/corpus/NAME by hand. A crash leaves its input in the current directory.
fuzz: fuzz-build
	@test -n "$(FUZZ_CC)" || { echo "no clang"; exit 1; }
	@for t in $(FUZZ_RUN); do \
		echo "== $$t, $(FUZZ_SECONDS) s"; \
		mkdir -p fuzz-obj/found/$$t; \
		seeds=$(srcdir)/fuzz/corpus/$$t; \
		[ -d $$seeds ] || seeds=; \
		fuzz-obj/$$t -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
		    -rss_limit_mb=2048 -print_final_stats=1 \
		    -artifact_prefix=fuzz-obj/$$t- \
		    fuzz-obj/found/$$t $$seeds || exit 1; \
	done
