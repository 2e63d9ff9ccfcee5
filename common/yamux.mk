# SPDX-License-Identifier: ISC
# yamux: both ends, pure code (no other object needed).
yamux_OBJS =	common/yamux.o common/yamux_stream.o common/yamux_window.o
