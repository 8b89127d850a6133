package mempool

import (
	"cmp"
	"slices"
)

// entrySet is a list of entries, each once.
type entrySet struct {
	list []*entry
	has  map[*entry]struct{} // nil while the list is short
}

// shortSet is how long a list may be to be searched from end to end.
const shortSet = 48

func (s *entrySet) contains(e *entry) bool {
	if s.has == nil {
		return slices.Contains(s.list, e)
	}
	_, ok := s.has[e]
	return ok
}

// add puts e at the end, if it is not in the set.
func (s *entrySet) add(e *entry) {
	if s.contains(e) {
		return
	}
	s.list = append(s.list, e)
	switch {
	case s.has != nil:
		s.has[e] = struct{}{}
	case len(s.list) > shortSet:
		s.has = make(map[*entry]struct{}, 2*len(s.list))
		for _, e := range s.list {
			s.has[e] = struct{}{}
		}
	}
}

// ancestorsOf returns the entries, and then all that they depend on.
func ancestorsOf(of ...*entry) []*entry {
	return reach(of, func(e *entry) []*entry { return e.parents })
}

// descendantsOf returns the entries, and then all that depend on them.
func descendantsOf(of ...*entry) []*entry {
	return reach(of, func(e *entry) []*entry { return e.children })
}

func reach(from []*entry, next func(*entry) []*entry) []*entry {
	var set entrySet
	for _, e := range from {
		set.add(e)
	}
	for i := 0; i < len(set.list); i++ {
		for _, n := range next(set.list[i]) {
			set.add(n)
		}
	}
	return set.list
}

// ancestors returns all that e depends on.
func (e *entry) ancestors() []*entry {
	if len(e.parents) == 0 {
		return nil
	}
	return ancestorsOf(e)[1:]
}

// descendants returns all that depends on e.
func (e *entry) descendants() []*entry {
	if len(e.children) == 0 {
		return nil
	}
	return descendantsOf(e)[1:]
}

func bySeq(a, b *entry) int { return cmp.Compare(a.seq, b.seq) }

// inOrder sorts a list: parents before children.
func inOrder(list []*entry) []*entry {
	slices.SortFunc(list, bySeq)
	return list
}

// without returns the list without e, in a changed order. The list is no
// longer valid.
func without(list []*entry, e *entry) []*entry {
	i := slices.Index(list, e)
	if i < 0 {
		return list
	}
	last := len(list) - 1
	list[i] = list[last]
	list[last] = nil
	return list[:last]
}
