module relayd.test/interop

go 1.19

require (
	github.com/coder/websocket v1.8.12
	github.com/creack/pty v1.1.24
	github.com/gorilla/websocket v1.5.3
	github.com/hashicorp/yamux v0.1.2
)
