package deliver

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Entry names one file of the spool.
type Entry struct {
	Name  string
	Bytes int64
}

// index holds the names and sizes of a folder's files in the order of their
// names, so that nobody has to read the folder again. It is not safe for
// concurrent use.
type index struct {
	entries []Entry
	bytes   int64
}

func (x *index) find(name string) (int, bool) {
	return slices.BinarySearchFunc(x.entries, name, func(e Entry, name string) int { return cmp.Compare(e.Name, name) })
}

// put adds an entry, or replaces the one of that name.
func (x *index) put(e Entry) {
	x.bytes += e.Bytes
	i, found := x.find(e.Name)
	if found {
		x.bytes -= x.entries[i].Bytes
		x.entries[i] = e
		return
	}
	x.entries = slices.Insert(x.entries, i, e)
}

func (x *index) remove(name string) bool {
	i, found := x.find(name)
	switch {
	case !found:
		return false
	case i == 0: // the usual one, in constant time
		x.bytes -= x.entries[0].Bytes
		x.entries = x.entries[1:]
	default:
		x.bytes -= x.entries[i].Bytes
		x.entries = slices.Delete(x.entries, i, i+1)
	}
	return true
}

func (x *index) oldest() (Entry, bool) {
	if len(x.entries) == 0 {
		return Entry{}, false
	}
	return x.entries[0], true
}

// after is the first entry behind that name, which need not be there.
func (x *index) after(name string) (Entry, bool) {
	i, found := x.find(name)
	if found {
		i++
	}
	if i == len(x.entries) {
		return Entry{}, false
	}
	return x.entries[i], true
}

// A batch is COUNTER.batch, its halves COUNTER_0.batch and COUNTER_1.batch, the
// halves of the first COUNTER_00.batch and COUNTER_01.batch, and so on. In the
// order of bytes a batch comes before its halves and these before the next
// batch. So when a crash leaves a batch beside its halves, it is split again
// first and overwrites them. The leading zero keeps any name from exhausting
// the counter.
const batchSuffix = ".batch"

var (
	batchName = regexp.MustCompile(`^0[0-9]{15}(_[01]+)?\.batch$`)
	counted   = regexp.MustCompile(`^0[0-9]{15}[._]`)
)

func nameOf(counter uint64) string { return fmt.Sprintf("%016d%s", counter, batchSuffix) }

// counterOf is the counter in a name, 0 where there is none.
func counterOf(name string) uint64 {
	if !counted.MatchString(name) {
		return 0
	}
	n, err := strconv.ParseUint(name[:16], 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// stem is a file's name without its suffixes.
func stem(name string) string {
	before, _, _ := strings.Cut(name, ".")
	return before
}

func halfNames(name string) (first, second string) {
	base := stem(name)
	if !strings.Contains(base, "_") {
		base += "_"
	}
	return base + "0" + batchSuffix, base + "1" + batchSuffix
}
