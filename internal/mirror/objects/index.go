package objects

// Index finds values by key. A key without values has no entry.
type Index[K, V comparable] map[K]map[V]struct{}

// Add puts a value under a key. An empty key has no values.
func (i Index[K, V]) Add(key K, value V) {
	var none K
	if key == none {
		return
	}
	if i[key] == nil {
		i[key] = map[V]struct{}{}
	}
	i[key][value] = struct{}{}
}

// Remove takes a value away from a key.
func (i Index[K, V]) Remove(key K, value V) {
	delete(i[key], value)
	if len(i[key]) == 0 {
		delete(i, key)
	}
}
