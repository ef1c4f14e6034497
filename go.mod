module ixpqos

go 1.26.0

require (
	github.com/DataDog/sketches-go v1.4.8
	github.com/go-co-op/gocron/v2 v2.21.2
	github.com/google/uuid v1.6.0
	github.com/jonboulle/clockwork v0.5.0
	github.com/robfig/cron/v3 v3.0.1
)

require google.golang.org/protobuf v1.36.11 // indirect
