$(eval $(call unit_test,yamux_test,$(yamux_OBJS),))
# The C side of regress/interop/yamux.t.
YAMUX_PEER_OBJS = regress/interop/yamux_peer.o $(yamux_OBJS) $(ws_OBJS) \
	$(ws_accept_OBJS)
OBJS += $(YAMUX_PEER_OBJS)
tests: regress/interop/yamux_peer
regress/interop/yamux_peer: $(YAMUX_PEER_OBJS)
	$(SAY) "  LINK  $@"
	$(Q)$(LINK) $(PIE_LDFLAGS) -o $@ $(YAMUX_PEER_OBJS) $(SODIUM_LIBS)
