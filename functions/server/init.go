package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ixpqos/functions/internal/service"
	"ixpqos/internal/program"
	"ixpqos/internal/store/influx"
)

type initCommand struct {
	service.Influx
	Keep keep `embed:"" prefix:"keep-"`
}

// keep is how long new buckets keep what they have.
type keep struct {
	Raw         time.Duration `default:"336h" help:"How long what probes report is kept (${default})."`
	FiveMinutes time.Duration `name:"5m" default:"2160h" help:"How long what is merged to 5 minutes is kept (${default})."`
	Hours       time.Duration `name:"1h" default:"43800h" help:"How long what is merged to hours is kept (${default})."`
	Flows       time.Duration `default:"48h" help:"How long single flows are kept (${default})."`
	Rows        time.Duration `default:"9600h" help:"How long the matrix of the past is kept (${default})."`
}

func (c *initCommand) Run(ctx context.Context) error {
	if c.URL == "" {
		return program.Usage(errors.New("init needs --influx-url or $INFLUX_URL, such as http://127.0.0.1:8086"))
	}
	token, err := c.Token()
	if err != nil {
		return fmt.Errorf("init works with an operator's token, which `influx setup` made: %w", err)
	}
	done, err := influx.Init(ctx, c.URL, c.Org, token, c.Buckets.Names(), influx.Retention(c.Keep))
	if err != nil {
		return err
	}
	fmt.Printf("Buckets in the organisation %s:\n", c.Org)
	for _, b := range done.Buckets {
		fmt.Printf("  %-14s %s\n", b.Name, describe(b))
	}
	fmt.Printf("\nNew tokens, shown only now. Each is the INFLUX_TOKEN of its process, or stands in the\n"+
		"file of INFLUX_TOKEN_FILE; INFLUX_URL and INFLUX_ORG are those that init was given.\n\n"+
		"  write     %s\n            for ixpqos-ingest; with SAM: InfluxWriteToken, or write_token in InfluxSecret\n"+
		"  read      %s\n            for ixpqos-query; with SAM: InfluxReadToken, or read_token in InfluxSecret\n"+
		"  evaluate  %s\n            for ixpqos-server --store influx, which does both\n\n"+
		"Those of an earlier init go on working; `influx auth delete --id ID` ends one. The new ones:\n"+
		"  write %s, read %s, evaluate %s\n",
		done.Write.Secret, done.Read.Secret, done.Evaluate.Secret, done.Write.ID, done.Read.ID, done.Evaluate.ID)
	return nil
}

func describe(b influx.Bucket) string {
	kept := "keeps all"
	if b.Keeps > 0 {
		kept = fmt.Sprintf("keeps %d h", b.Keeps/time.Hour)
	}
	if b.Made {
		return kept + ", new"
	}
	return kept + ", was there and stays as it is"
}
