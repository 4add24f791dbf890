package main

import "testing"

func TestACallShowsOneOfTheAcceptedTokensWhereThereAreAny(t *testing.T) {
	all := &tokens{}
	if err := all.check(nil); err != nil {
		t.Errorf("nothing is asked for: %v", err)
	}
	some := &tokens{accept: []string{"a", "b"}}
	for _, c := range []struct {
		headers []string
		ok      bool
	}{{[]string{"Bearer b"}, true}, {[]string{"Bearer c"}, false}, {nil, false}, {[]string{"Bearer "}, false}} {
		if err := some.check(c.headers); (err == nil) != c.ok {
			t.Errorf("%q: %v", c.headers, err)
		}
	}
}
