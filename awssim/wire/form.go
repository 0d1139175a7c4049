package wire

import (
	"cmp"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
)

// branch is a form's parameters as the tree that their dots mean:
// "Filter.1.Value.2=x" is four branches deep.
type branch struct {
	value string
	kids  map[string]*branch
}

func grow(form url.Values) *branch {
	root := &branch{}
	for key, values := range form {
		at := root
		for part := range strings.SplitSeq(key, ".") {
			if at.kids == nil {
				at.kids = map[string]*branch{}
			}
			next := at.kids[part]
			if next == nil {
				next = &branch{}
				at.kids[part] = next
			}
			at = next
		}
		if len(values) > 0 {
			at.value = values[0]
		}
	}
	return root
}

// decodeForm fills the struct in points to. A field is called by its name or
// by its tag `query:"Name"`; lists are numbered from 1, with or without
// "member" between.
func decodeForm(form url.Values, in any, isEC2 bool) error {
	d := formDecoder{unknown: "ValidationError"}
	if isEC2 {
		d.unknown = "UnknownParameter"
	}
	return d.fill(grow(form), reflect.ValueOf(in).Elem(), "")
}

type formDecoder struct {
	unknown string // the code for a parameter that no field takes
}

func (d formDecoder) fill(b *branch, into reflect.Value, path string) error {
	switch into.Kind() {
	case reflect.Pointer:
		into.Set(reflect.New(into.Type().Elem()))
		return d.fill(b, into.Elem(), path)
	case reflect.Slice:
		return d.fillList(b, into, path)
	case reflect.Struct:
		if into.Type() == reflect.TypeFor[time.Time]() {
			return fillTime(b, into, path)
		}
		return d.fillStruct(b, into, path)
	default:
		return d.fillScalar(b, into, path)
	}
}

func (d formDecoder) fillStruct(b *branch, into reflect.Value, path string) error {
	names := make([]string, 0, len(b.kids))
	for name := range b.kids {
		names = append(names, name)
	}
	slices.Sort(names) // so that the first complaint is always the same
	for _, name := range names {
		field := fieldFor(into, name)
		if !field.IsValid() {
			return apierror.New(d.unknown, "The parameter %s is not recognized, or is not simulated", path+name)
		}
		if err := d.fill(b.kids[name], field, path+name+"."); err != nil {
			return err
		}
	}
	return nil
}

// fieldFor finds the field that a parameter belongs to, looking into embedded
// structs too.
func fieldFor(into reflect.Value, name string) reflect.Value {
	t := into.Type()
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Anonymous {
			if v := fieldFor(into.Field(i), name); v.IsValid() {
				return v
			}
			continue
		}
		if f.IsExported() && cmp.Or(f.Tag.Get("query"), f.Name) == name {
			return into.Field(i)
		}
	}
	return reflect.Value{}
}

func (d formDecoder) fillList(b *branch, into reflect.Value, path string) error {
	if member := b.kids["member"]; member != nil && len(b.kids) == 1 {
		b = member
	}
	type numbered struct {
		n    int
		item *branch
	}
	var items []numbered
	for key, item := range b.kids {
		n, err := strconv.Atoi(key)
		if err != nil || n < 1 {
			return apierror.New(d.unknown, "The parameter %s is not recognized, or is not simulated", path+key)
		}
		items = append(items, numbered{n, item})
	}
	slices.SortFunc(items, func(a, b numbered) int { return cmp.Compare(a.n, b.n) })
	list := reflect.MakeSlice(into.Type(), len(items), len(items))
	for i, item := range items {
		if err := d.fill(item.item, list.Index(i), path+strconv.Itoa(item.n)+"."); err != nil {
			return err
		}
	}
	into.Set(list)
	return nil
}

func (d formDecoder) fillScalar(b *branch, into reflect.Value, path string) error {
	name := strings.TrimSuffix(path, ".")
	if len(b.kids) > 0 {
		return apierror.New(d.unknown, "The parameter %s is not recognized, or is not simulated", name)
	}
	var err error
	switch into.Kind() {
	case reflect.String:
		into.SetString(b.value)
	case reflect.Bool:
		var v bool
		v, err = strconv.ParseBool(b.value)
		into.SetBool(v)
	case reflect.Float64:
		var v float64
		v, err = strconv.ParseFloat(b.value, 64)
		into.SetFloat(v)
	default:
		var v int64
		v, err = strconv.ParseInt(b.value, 10, 64)
		if err == nil {
			into.SetInt(v)
		}
	}
	if err != nil {
		return apierror.Invalid(
			"Value (%s) for parameter %s is invalid. It must be a %s.",
			b.value,
			name,
			into.Kind(),
		)
	}
	return nil
}

func fillTime(b *branch, into reflect.Value, path string) error {
	t, err := time.Parse(time.RFC3339, b.value)
	if err != nil {
		return apierror.Invalid(
			"Value (%s) for parameter %s is invalid. It must be an ISO 8601 time.",
			b.value,
			strings.TrimSuffix(path, "."),
		)
	}
	into.Set(reflect.ValueOf(t.UTC()))
	return nil
}
