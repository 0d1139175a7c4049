package objects

// byID holds objects of one kind by name, and finds them by the provider ID of their machine.
type byID[O any] struct {
	objects map[string]O
	ids     map[string]string     // by name; empty for an object whose machine is not known yet
	names   Index[string, string] // by provider ID
}

func newByID[O any]() byID[O] {
	return byID[O]{objects: map[string]O{}, ids: map[string]string{}, names: Index[string, string]{}}
}

// put notes an object. It returns the provider IDs that it has and had.
func (b *byID[O]) put(name, id string, object O) (ids []string) {
	ids = append(b.drop(name), id)
	b.objects[name], b.ids[name] = object, id
	b.names.Add(id, name)
	return ids
}

// drop forgets an object. It returns the provider ID that it had, and nothing if there was no such object.
func (b *byID[O]) drop(name string) (ids []string) {
	id, known := b.ids[name]
	if !known {
		return nil
	}
	delete(b.objects, name)
	delete(b.ids, name)
	b.names.Remove(id, name)
	return []string{id}
}
