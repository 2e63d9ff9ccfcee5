# SPDX-License-Identifier: ISC
# A place that fails once, for scripts: preloaded, so it has no sanitizer of its
# own, and what preloads it.
$(eval $(call test_link,lib/failing_start,,))
tests check: regress/lib/failing_start regress/lib/failing.so
regress/lib/failing.so: regress/lib/failing.c config.mk
	@mkdir -p $(@D)
	$(SAY) "  LINK  $@"
	$(Q)$(CC) $(STD) $(RD_CPPFLAGS) $(WARN_CFLAGS) -Wno-missing-prototypes \
	    -O1 -g -fPIC -fno-builtin -fexceptions -shared -o $@ $<
