package sqlite_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"testing"

	"ixpqos/internal/ippm"
	"ixpqos/internal/store/sqlite"
	"ixpqos/internal/store/storetest"
)

// The test binary runs itself as another process: childTask names what that
// does, childPath the database.
const (
	childTask = "IXPQOS_TEST_CHILD"
	childPath = "IXPQOS_TEST_PATH"
)

func TestMain(m *testing.M) {
	tasks := map[string]func(path string) error{"lock": holdLock, "put": putForEver}
	task, ok := tasks[os.Getenv(childTask)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := task(os.Getenv(childPath)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// openRaw opens a database behind a store's back.
func openRaw(path string) (*sql.DB, error) {
	return sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath())
}

// holdLock takes the database's lock, says so, and holds it until its input ends.
func holdLock(path string) error {
	db, err := openRaw(path)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1) // the lock and its release on one connection
	if _, err := db.Exec("BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	fmt.Println("locked")
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	_, err = db.Exec("ROLLBACK")
	return err
}

// crashBatch is what the n-th Put of putForEver stores: enough that most of its
// time is spent in the middle of one.
func crashBatch(n int) ippm.Batch {
	var results []ippm.Result
	for i := range 50 {
		results = append(results, storetest.NewResult(storetest.Pair("p1", fmt.Sprint("t", i)), n, 1, 200, float64(n)))
	}
	return storetest.NewBatch("p1", n, results...)
}

// putForEver prints the number of every batch that was acknowledged.
func putForEver(path string) error {
	s, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		return err
	}
	for n := 0; ; n++ {
		if _, err := s.Put(context.Background(), crashBatch(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// child is a running task.
type child struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout *bufio.Scanner
}

func startChild(t *testing.T, task, path string) *child {
	t.Helper()
	executable, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(executable)
	cmd.Env = append(os.Environ(), childTask+"="+task, childPath+"="+path)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return &child{cmd, stdin, bufio.NewScanner(stdout)}
}

func (c *child) line(t *testing.T) string {
	t.Helper()
	if !c.stdout.Scan() {
		t.Fatalf("the other process ended early: %v", c.stdout.Err())
	}
	return c.stdout.Text()
}
