package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"ixpqos/internal/program"
	"ixpqos/internal/store/influx"
)

// tokenVariable holds the token. It has no flag: the command line of a process
// is everybody's to read.
const tokenVariable = "INFLUX_TOKEN"

// Influx are the settings of --store influx.
type Influx struct {
	URL       string  `name:"influx-url" env:"INFLUX_URL" help:"Where InfluxDB 2 listens, such as http://127.0.0.1:8086."`
	Org       string  `name:"influx-org" env:"INFLUX_ORG" default:"ixpqos" help:"Its organisation (${default})."`
	TokenFile string  `name:"influx-token-file" env:"INFLUX_TOKEN_FILE" help:"File with the token, which $$INFLUX_TOKEN holds otherwise."`
	Buckets   Buckets `embed:"" prefix:"influx-bucket-" envprefix:"INFLUX_BUCKET_"`
}

// Buckets are the names of the buckets, those that are not the usual ones.
type Buckets struct {
	Raw         string `env:"RAW" placeholder:"ixpqos_raw" help:"Bucket of what probes report."`
	FiveMinutes string `name:"5m" env:"5M" placeholder:"ixpqos_5m" help:"Bucket of what is merged to 5 minutes."`
	Hours       string `name:"1h" env:"1H" placeholder:"ixpqos_1h" help:"Bucket of what is merged to hours."`
	Flows       string `env:"FLOWS" placeholder:"ixpqos_flows" help:"Bucket of single flows."`
	Rows        string `env:"ROWS" placeholder:"ixpqos_rows" help:"Bucket of the matrix of the past."`
}

// Names are those buckets for the store.
func (b Buckets) Names() influx.Buckets { return influx.Buckets(b) }

// open checks the settings. It does not connect: that is left to the first use.
func (i Influx) open(ctx context.Context, use influx.Use, gzip bool) (*opened, error) {
	if i.URL == "" {
		return nil, program.Usage(errors.New("--store influx needs --influx-url or $INFLUX_URL, such as http://127.0.0.1:8086"))
	}
	token, err := i.Token()
	if err != nil {
		return nil, err
	}
	db, err := influx.Open(ctx, influx.Options{URL: i.URL, Org: i.Org, Token: token, Buckets: i.Buckets.Names(), Use: use, Gzip: gzip})
	if err != nil {
		return nil, program.Usage(err)
	}
	wrote := &outcome{Writer: db, now: time.Now}
	return &opened{Writer: wrote, Reader: db, close: db.Close, lastWrite: wrote.last}, nil
}

// Token is the one that the settings name.
func (i Influx) Token() (string, error) {
	token := os.Getenv(tokenVariable)
	if i.TokenFile != "" {
		text, err := os.ReadFile(i.TokenFile)
		if err != nil {
			return "", fmt.Errorf("the InfluxDB token cannot be read: %w", err)
		}
		token = string(text)
	}
	if token = strings.TrimSpace(token); strings.ContainsAny(token, "\r\n") {
		return "", program.Usage(errors.New("the InfluxDB token has more than one line: write the token alone into $INFLUX_TOKEN or the file of --influx-token-file"))
	}
	if token == "" {
		return "", program.Usage(errors.New("there is no InfluxDB token: set $INFLUX_TOKEN, or name a file by --influx-token-file"))
	}
	return token, nil
}
