package program

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// chatty is a program that logs and prints, waits for a line, does so again, and
// then says in a file that it came to its end.
type chatty struct {
	End string `arg:""`
}

func (c *chatty) Run(_ context.Context, log *slog.Logger) error {
	fmt.Println("begun")
	if _, err := fmt.Scanln(new(string)); err != nil {
		return err
	}
	for range 3 {
		log.Info("nobody reads this")
		fmt.Println("nor this")
	}
	return os.WriteFile(c.End, []byte("end"), 0o600)
}

// TestMain is the program itself where it is started as that.
func TestMain(m *testing.M) {
	if os.Getenv("IXPQOS_TEST_PROGRAM") != "" {
		Main("chatty", "For a test.", "test", &chatty{})
	}
	os.Exit(m.Run())
}

// TestTheReaderOfTheLogGoesAway and the program goes on.
func TestTheReaderOfTheLogGoesAway(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	end := filepath.Join(t.TempDir(), "end")
	cmd := exec.CommandContext(ctx, os.Args[0], end)
	cmd.Env = append(os.Environ(), "IXPQOS_TEST_PROGRAM=1")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var readers []*os.File
	for _, to := range []*io.Writer{&cmd.Stdout, &cmd.Stderr} {
		reader, writer, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer writer.Close()
		*to, readers = writer, append(readers, reader)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(readers[0], make([]byte, len("begun\n"))); err != nil {
		t.Fatal(err)
	}
	for _, r := range readers {
		r.Close()
	}
	if _, err := io.Copy(in, strings.NewReader("go\n")); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
	if _, err := os.Stat(end); err != nil {
		t.Error(err)
	}
}
