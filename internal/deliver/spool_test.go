package deliver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"ixpqos/infra/needs"
	"ixpqos/internal/wire"
)

func TestOrderOverRestarts(t *testing.T) {
	s := openSpool(t, filepath.Join(t.TempDir(), "new", "spool"), SpoolOptions{})
	for n := range 12 {
		mustAppend(t, s, batch(n))
		if n%3 == 2 {
			s = reopen(t, s)
		}
	}
	e, ok := s.Oldest()
	if !ok {
		t.Fatal("nothing waits")
	}
	body, err := s.Read(e)
	if err != nil {
		t.Fatal(err)
	}
	want, err := wire.EncodeBatch(batch(0))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(body)); diff != "" {
		t.Errorf("the batch changed (-appended +read):\n%s", diff)
	}
	if got := takeAll(t, s); !slices.Equal(got, upTo(0, 12)) {
		t.Errorf("batches come as %v", got)
	}
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestNamesAreNotUsedAgain(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, batch(0), batch(1))
	takeAll(t, s)
	mustAppend(t, s, batch(2))
	e, _ := s.Oldest()
	s.setAside(e, "for the test")
	s = reopen(t, s)
	mustAppend(t, s, batch(3))
	if next, _ := s.Oldest(); next.Name != nameOf(4) {
		t.Errorf("after %s, which is set aside, comes %s", e.Name, next.Name)
	}
}

func TestAppendFromManyGoroutines(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 10 {
				if err := s.Append(t.Context(), batch(worker*10+i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	await(t, s.Wake())
	wantStats(t, s, 80, 0, 0)
	got := takeAll(t, reopen(t, s))
	slices.Sort(got)
	if !slices.Equal(got, upTo(0, 80)) {
		t.Errorf("batches %v are there", got)
	}
}

func TestAppendAfterTheEndOfTheContext(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Append(ctx, batch(0)); err != nil {
		t.Fatal(err)
	}
	wantStats(t, s, 1, 0, 0)
}

func TestAppendErrors(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 10_000})
	bad := batch(0)
	bad.Results[0].RTT.N, bad.Results[0].RTT.Mean = 1, math.NaN()
	err := s.Append(t.Context(), bad)
	if err == nil || !strings.Contains(err.Error(), "the batch of 2026-03-01T00:00:00Z is lost") {
		t.Errorf("a batch that JSON cannot hold: %v", err)
	}
	if err = s.Append(t.Context(), fat(1)); err == nil || !strings.Contains(err.Error(), "the spool takes 10000") {
		t.Errorf("a batch larger than the spool: %v", err)
	}
	s.Close()
	if err = s.Append(t.Context(), batch(2)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed spool: %v", err)
	}
	wantStats(t, s, 0, 0, 3)
	if left := files(t, s.dir); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
}

func TestLeftoversOfACrash(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, nameOf(7)+tempSuffix), []byte("half"))
	writeFile(t, filepath.Join(dir, "notes.tmp"), []byte("somebody's"))
	if err := os.Mkdir(filepath.Join(dir, nameOf(9)), 0o750); err != nil {
		t.Fatal(err)
	}
	var log logged
	s := openSpool(t, dir, SpoolOptions{Log: log.logger()})
	wantStats(t, s, 0, 0, 0)
	if got := files(t, dir); !slices.Equal(got, []string{"notes.tmp"}) {
		t.Errorf("the folder holds %v", got)
	}
	log.want(t, 1, "left alone")
}

func TestMaxBytesDropsFlowsFirst(t *testing.T) {
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 100_000, Log: log.logger()})
	const many = 20
	for n := range many {
		mustAppend(t, s, flowing(n))
	}
	wantStats(t, s, many, 0, 0)
	if got := s.Stats().Bytes; got > 100_000 {
		t.Errorf("%d bytes wait", got)
	}
	if lines := log.lines("what flows saw in the oldest batches is dropped"); len(lines) == 0 {
		t.Error("the log does not say so")
	}
	checkThinned(t, s, many)
}

// TestThinnedWhileItIsRead: a reader may find no file while one is written anew.
func TestThinnedWhileItIsRead(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, flowing(0))
	e, _ := s.Oldest()
	s.miss(e)
	wantStats(t, s, 1, 0, 0)
}

// TestThinningWhatWasDelivered does not bring it back.
func TestThinningWhatWasDelivered(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	mustAppend(t, s, flowing(0))
	e, _ := s.Oldest()
	if err := s.Remove(e); err != nil {
		t.Fatal(err)
	}
	if s.replace(e, []byte("x"), freesBytes) || len(files(t, s.dir)) > 0 {
		t.Errorf("the folder holds %v", files(t, s.dir))
	}
}

func TestMaxBytes(t *testing.T) {
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxBytes: 100_000, Log: log.logger()})
	for n := range 10 {
		mustAppend(t, s, fat(n))
	}
	if got := s.Stats(); got.Bytes > 100_000 || got.Bytes < 80_000 {
		t.Errorf("%d bytes wait", got.Bytes)
	}
	wantStats(t, s, 4, 0, 6)
	log.want(t, 6, "dropped to make room")
	if got := takeAll(t, reopen(t, s)); !slices.Equal(got, upTo(6, 10)) {
		t.Errorf("%v are left", got)
	}
}

func TestCorruptFiles(t *testing.T) {
	body, err := wire.EncodeBatch(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	good := seal(body)
	flipped := slices.Clone(good)
	flipped[len(flipped)/2] ^= 1
	for name, tc := range map[string]struct {
		content []byte
		reason  string
	}{
		"empty":        {nil, "it is empty"},
		"zeros":        {make([]byte, len(good)), "does not begin with a line"},
		"junk":         {[]byte("Lorem ipsum\ndolor"), "does not begin with a line"},
		"truncated":    {good[:len(good)-10], "bytes behind its first line"},
		"header only":  {header(body), "has 0 bytes behind"},
		"half header":  {good[:12], "does not begin with a line"},
		"too long":     {append(slices.Clone(good), "more"...), "bytes behind its first line"},
		"flipped bit":  {flipped, "checksum"},
		"newer schema": {bytes.Replace(good, []byte("spool 1 "), []byte("spool 2 "), 1), "a newer version wrote it"},
		"old schema":   {bytes.Replace(good, []byte("spool 1 "), []byte("spool 0 "), 1), "checksum"},
		"no batch":     {seal([]byte(`["sealed, but no batch"]`)), "not a batch"},
		"huge":         {make([]byte, maxFile+1), "more than"},
	} {
		t.Run(name, func(t *testing.T) {
			var log logged
			s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
			mustAppend(t, s, batch(0), batch(1), batch(2))
			writeFile(t, filepath.Join(s.dir, nameOf(2)), tc.content)
			if got := takeAll(t, s); !slices.Equal(got, []int{0, 2}) {
				t.Errorf("batches %v come", got)
			}
			wantStats(t, s, 0, 1, 0)
			if got := asideFiles(t, s); !slices.Equal(got, []string{nameOf(2)}) {
				t.Errorf("set aside are %v", got)
			}
			log.want(t, 1, nameOf(2))
			log.want(t, 1, tc.reason)
		})
	}
}

func TestEveryFlippedBitIsSeen(t *testing.T) {
	body, err := wire.EncodeBatch(batch(1))
	if err != nil {
		t.Fatal(err)
	}
	content := seal(body)
	for i := range content {
		for bit := range 8 {
			content[i] ^= 1 << bit
			if _, err := unseal(content); err == nil {
				t.Errorf("bit %d of byte %d", bit, i)
			}
			content[i] ^= 1 << bit
		}
	}
}

func FuzzReadBatch(f *testing.F) {
	body, err := wire.EncodeBatch(batch(1, groups(2)...))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range [][]byte{nil, seal(body), seal(nil), seal([]byte("{}")), header(body), []byte("ixpqos-spool 2 00000000 0\n"), body} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		got, err := readBatch(content)
		if err == nil && !bytes.Equal(seal(got), content) {
			t.Errorf("%q was read as %q", content, got)
		}
	})
}

func TestDeletedByHand(t *testing.T) {
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{Log: log.logger()})
	mustAppend(t, s, batch(0), batch(1))
	if err := os.Remove(filepath.Join(s.dir, nameOf(1))); err != nil {
		t.Fatal(err)
	}
	if got := takeAll(t, s); !slices.Equal(got, []int{1}) {
		t.Errorf("batches %v come", got)
	}
	wantStats(t, s, 0, 0, 1)
	log.want(t, 1, nameOf(1))
}

func TestSetAsideIsBounded(t *testing.T) {
	var log logged
	s := openSpool(t, t.TempDir(), SpoolOptions{MaxSetAsideFiles: 3, MaxSetAsideBytes: 50_000, Log: log.logger()})
	setAside := func(from, to int, fatten bool) {
		for n := from; n < to; n++ {
			b := batch(n)
			if fatten {
				b = fat(n)
			}
			mustAppend(t, s, b)
			e, _ := s.Oldest()
			s.setAside(e, "for the test")
		}
	}
	setAside(0, 5, false)
	if got := asideFiles(t, s); !slices.Equal(got, []string{nameOf(3), nameOf(4), nameOf(5)}) {
		t.Errorf("by number %v are left", got)
	}
	s = reopen(t, s)
	setAside(5, 8, true)
	if got := asideFiles(t, s); !slices.Equal(got, []string{nameOf(7), nameOf(8)}) {
		t.Errorf("by size %v are left", got)
	}
	wantStats(t, s, 0, 3, 4)
	log.want(t, 5, "there are too many")
}

func TestSetAsideFolderWasDeleted(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	for n := range 2 {
		mustAppend(t, s, batch(n))
		e, _ := s.Oldest()
		s.setAside(e, "for the test")
		if err := os.RemoveAll(filepath.Join(s.dir, asideFolder)); err != nil {
			t.Fatal(err)
		}
	}
	wantStats(t, s, 0, 2, 0)
}

// TestSetAsideCannotBeMoved puts a file where the sub-folder belongs.
func TestSetAsideCannotBeMoved(t *testing.T) {
	s := openSpool(t, t.TempDir(), SpoolOptions{})
	writeFile(t, filepath.Join(s.dir, asideFolder), nil)
	mustAppend(t, s, batch(0), batch(1))
	writeFile(t, filepath.Join(s.dir, nameOf(1)), nil)
	if got := takeAll(t, s); !slices.Equal(got, []int{1}) {
		t.Errorf("batches %v come", got)
	}
	wantStats(t, s, 0, 1, 0)
	if got := files(t, s.dir); !slices.Contains(got, nameOf(1)) {
		t.Errorf("the file that could not be moved is gone: %v", got)
	}
}

func TestUnusableFolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	writeFile(t, path, nil)
	_, err := OpenSpool(filepath.Join(path, "spool"), SpoolOptions{})
	if err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a folder that cannot be made: %v", err)
	}
	if _, err = OpenSpool(path, SpoolOptions{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a file as folder: %v", err)
	}
}

func TestManyWaiting(t *testing.T) {
	needs.Time(t)
	const many = 100_000
	dir := t.TempDir()
	content := seal([]byte("{}"))
	for n := range many {
		writeFile(t, filepath.Join(dir, nameOf(uint64(n+1))), content)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := openSpool(t, dir, SpoolOptions{})
	runtime.GC()
	runtime.ReadMemStats(&after)
	wantStats(t, s, many, 0, 0)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 200*many {
		t.Errorf("%d waiting files take %d bytes of memory", many, grown)
	}
	if n := testing.AllocsPerRun(100, func() { s.Oldest() }); n > 0 {
		t.Errorf("to know the oldest takes %v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	s, err := OpenSpool(b.TempDir(), SpoolOptions{})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	for b.Loop() {
		if err := s.Append(b.Context(), fat(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func TestIndex(t *testing.T) {
	var x index
	first, second := halfNames(nameOf(2))
	firstFirst, firstSecond := halfNames(first)
	want := []string{nameOf(1), nameOf(2), first, firstFirst, firstSecond, second, nameOf(3)}
	for _, i := range []int{6, 0, 3, 5, 2, 4, 1, 4} {
		x.put(Entry{want[i], int64(i)})
		if !batchName.MatchString(want[i]) {
			t.Errorf("%s is not a batch's name", want[i])
		}
	}
	got := []string{}
	for _, e := range x.entries {
		got = append(got, e.Name)
	}
	if diff := cmp.Diff(want, got); diff != "" || x.bytes != 21 {
		t.Errorf("order (-want +got), %d bytes:\n%s", x.bytes, diff)
	}
	if x.remove("none") || !x.remove(want[3]) || !x.remove(want[0]) || x.bytes != 18 || len(x.entries) != 5 {
		t.Errorf("after removing: %+v", x)
	}
}

func TestReadKey(t *testing.T) {
	for _, tc := range []struct{ content, key, problem string }{
		{"abc123\n", "abc123", ""},
		{"\r\n  abc 123\t\r\n", "abc 123", ""},
		{strings.Repeat("k", 512), strings.Repeat("k", 512), ""},
		{strings.Repeat("k", 513), "", "more than 512 bytes"},
		{strings.Repeat("k", 1<<20), "", "more than 512 bytes"},
		{"", "", "empty"},
		{" \n\n", "", "empty"},
		{"abc\ndef\n", "", "more than one line"},
		{"abc\rdef\n", "", "more than one line"},
		{"abc\x00def", "", "not printable"},
		{"abc\x7fdef", "", "not printable"},
		{"\ufeffabc", "", "not printable"},
		{"schl\u00fcssel", "", "not printable"},
	} {
		path := filepath.Join(t.TempDir(), "key")
		writeFile(t, path, []byte(tc.content))
		key, err := ReadKey(path)
		if key != tc.key || (err == nil) != (tc.problem == "") {
			t.Errorf("%.20q is read as %.20q, %v", tc.content, key, err)
		}
		if err != nil && (!strings.Contains(err.Error(), tc.problem) || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "abc")) {
			t.Errorf("%.20q: %v", tc.content, err)
		}
	}
	if _, err := ReadKey(filepath.Join(t.TempDir(), "none")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestSplit(t *testing.T) {
	many := []group{{"a", 4, 0}, {"b", 4, 0}, {"a", 6, 0}, {"a", 4, 46}, {"a", 4, 0}, {"b", 4, 0}, {"a", 6, 0}}
	whole := batch(3, many...)
	whole.Heard = heard(whole, group{"b", 6, 0}, group{"a", 4, 0}, group{"a", 6, 0})
	body, err := wire.EncodeBatch(whole)
	if err != nil {
		t.Fatal(err)
	}
	first, second, err := split(body)
	if err != nil {
		t.Fatal(err)
	}
	one, two := decode(t, first), decode(t, second)
	in := map[group]int{}
	for i, half := range []wire.Batch{posted(t, first), posted(t, second)} {
		for _, g := range groupsOf(half) {
			if was, ok := in[g]; ok && was != i {
				t.Errorf("group %v is in both halves", g)
			}
			in[g] = i
		}
	}
	if len(one.Results) != 4 || len(two.Results) != 3 || len(one.Heard) != 1 || len(two.Heard) != 2 || len(in) != 5 {
		t.Errorf("halves of %d and %d results, %d and %d heard, %d groups", len(one.Results), len(two.Results), len(one.Heard), len(two.Heard), len(in))
	}
	one.Results, two.Results, whole.Results = nil, nil, nil
	one.Heard, two.Heard, whole.Heard = nil, nil, nil
	if diff := cmp.Diff(fmt.Sprint(whole, whole), fmt.Sprint(one, two)); diff != "" {
		t.Errorf("what is not a result changed:\n%s", diff)
	}
	for _, one := range [][]group{{{"a", 4, 0}}, {{"a", 4, 0}, {"a", 4, 0}}} {
		body, _ := wire.EncodeBatch(batch(1, one...))
		if _, _, err := split(body); err != errOneGroup {
			t.Errorf("a batch of one group: %v", err)
		}
	}
	empty := batch(1)
	empty.Results = nil
	empty.Heard = heard(empty, groups(2)...)
	body, _ = wire.EncodeBatch(empty)
	if first, second, err := split(body); err != nil || len(decode(t, first).Heard) != 1 || len(decode(t, second).Heard) != 1 {
		t.Errorf("a batch with nothing but what was heard: %s, %s, %v", first, second, err)
	}
	empty.Heard = nil
	body, _ = wire.EncodeBatch(empty)
	if _, _, err := split(body); err != errOneGroup {
		t.Errorf("a batch of no group: %v", err)
	}
}
