package trouble

import "testing"

func TestSentence(t *testing.T) {
	for _, c := range []struct {
		wrong []string
		want  string
	}{
		{nil, ""},
		{[]string{"", ""}, ""},
		{[]string{"a", "", "a", "b"}, `test "fabric": a; b`},
		{[]string{"a", "b", "c"}, `test "fabric": a; b; c`},
		{[]string{"a", "b", "b", "c", "d", "e"}, `test "fabric": a; b; c; and 2 more`},
	} {
		if got := Sentence("fabric", c.wrong); got != c.want {
			t.Errorf("%q make %q; want %q", c.wrong, got, c.want)
		}
	}
}
