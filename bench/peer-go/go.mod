module relayd.test/peer-go

go 1.19

require (
	github.com/coder/websocket v1.8.12
	github.com/gorilla/websocket v1.5.3
	github.com/hashicorp/yamux v0.1.2
	relayd.test/interop v0.0.0
)

replace relayd.test/interop => ../../regress/interop
