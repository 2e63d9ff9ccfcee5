# SPDX-License-Identifier: ISC
#
# bench/run measures a build without sanitizers, its only argument.

bench: all
	@test "$(SANITIZERS)" != yes || \
	    { echo "bench: this build has sanitizers"; exit 1; }
	$(srcdir)/bench/run $(abs_builddir)
