# SPDX-License-Identifier: ISC
#
# bench/run measures a build without sanitizers, its only argument; storelist is
# what it measures the store's pages with.

OBJS += bench/storelist.o
bench/storelist: bench/storelist.o $(storeworld_OBJS)
	@mkdir -p $(@D)
	$(SAY) "  LINK  $@"
	$(Q)$(LINK) $(PIE_LDFLAGS) -o $@ $^ $(storeworld_LIBS)

bench: all bench/storelist
	@test "$(SANITIZERS)" != yes || \
	    { echo "bench: this build has sanitizers"; exit 1; }
	$(srcdir)/bench/run $(abs_builddir)

# Beside what else there is on the PATH: bench/README.md.
bench-peers: all
	@test "$(SANITIZERS)" != yes || \
	    { echo "bench-peers: this build has sanitizers"; exit 1; }
	$(srcdir)/bench/run $(abs_builddir) --only peers
