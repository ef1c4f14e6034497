package main

import (
	"context"
	"debug/elf"
	"fmt"
	"os"
	"slices"
)

// takeSizes weighs the binaries, which must be static and stripped.
func takeSizes(_ context.Context, _ rig) (samples, error) {
	taken := samples{}
	for name, path := range map[string]string{"probe_binary_mb": probeBinary, "server_binary_mb": serverBinary,
		"ingest_binary_mb": ingestBinary, "query_binary_mb": queryBinary} {
		if err := checkBinary(path); err != nil {
			return nil, err
		}
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		taken[name] = []float64{float64(info.Size()) / 1e6}
	}
	return taken, nil
}

func checkBinary(path string) error {
	binary, err := elf.Open(path)
	if err != nil {
		return err
	}
	defer binary.Close()
	if slices.ContainsFunc(binary.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		return fmt.Errorf("%s is not static", path)
	}
	if binary.Section(".symtab") != nil {
		return fmt.Errorf("%s is not stripped", path)
	}
	return nil
}
