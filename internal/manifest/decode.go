package manifest

import (
	"cmp"
	encodingjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/json"
)

// reader reads objects of one type and keeps them in a Set.
type reader struct {
	read func(s *Set, text []byte) (metav1.Object, error)

	// keep adds an object that was read, or puts it where another is. It may be called for objects of the type only.
	keep func(s *Set, object, before metav1.Object)
}

// reads makes a reader of the list in a Set that objects of type T belong to. before sets what absent fields are to be.
func reads[T any, P interface {
	*T
	metav1.Object
}](list func(*Set) *[]P, before ...func(P)) reader {
	return reader{
		read: func(s *Set, text []byte) (metav1.Object, error) {
			object := P(new(T))
			for _, set := range before {
				set(object)
			}
			strict, err := json.UnmarshalStrict(text, object)
			if err != nil {
				return nil, cmp.Or(misquoted(text), plain(err))
			}
			return object, s.known(object, strict)
		},
		keep: func(s *Set, object, before metav1.Object) {
			l := list(s)
			if before != nil {
				if i := slices.IndexFunc(*l, func(o P) bool { return metav1.Object(o) == before }); i >= 0 {
					(*l)[i] = object.(P)
					return
				}
			}
			*l = append(*l, object.(P))
		},
	}
}

// written are the decoder's words for what stands in a manifest.
var written = map[string]string{
	"string": "a string",
	"number": "a number",
	"bool":   "true or false",
	"array":  "a list",
	"object": "an object",
}

// wanted is what a Go type takes.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Int32, reflect.Int64, reflect.Int:
		return "an integer"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

// misquoted names the first amount of a resource that cannot be read, which the decoder does not; nil if there is none.
func misquoted(text []byte) error {
	var object any
	if err := encodingjson.Unmarshal(text, &object); err != nil {
		return nil
	}
	return amounts("", object)
}

// ofAmounts are fields whose values are amounts, by name of resource.
var ofAmounts = []string{
	"requests",
	"limits",
	"capacity",
	"allocatable",
	"overhead",
	"default",
	"defaultRequest",
	"kubeReserved",
	"systemReserved",
}

func amounts(at string, value any) error {
	switch value := value.(type) {
	case []any:
		for i, item := range value {
			if err := amounts(fmt.Sprintf("%s[%d]", at, i), item); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			field := strings.TrimPrefix(at+"."+key, ".")
			text, ok := value[key].(string)
			if ok && slices.Contains(ofAmounts, at[strings.LastIndex(at, ".")+1:]) {
				if _, err := resource.ParseQuantity(text); err != nil {
					return fmt.Errorf("%s is %q; want an amount such as 500m, 2 or 1Gi", field, text)
				}
			}
			if err := amounts(field, value[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// known refuses fields that are not known or there twice, as kubectl does. What a server has printed was accepted by
// it: fields of a newer one are noted.
func (s *Set) known(object metav1.Object, strict []error) error {
	switch {
	case len(strict) == 0:
		return nil
	case object.GetUID() == "" && len(strict) == 1:
		return strict[0]
	case object.GetUID() == "":
		return fmt.Errorf("%w (and %d more)", strict[0], len(strict)-1)
	}
	for _, err := range strict {
		var field json.FieldError
		if errors.As(err, &field) {
			s.Unknown[fmt.Sprintf("%s of a %s", index.ReplaceAllString(field.FieldPath(), ""),
				reflect.TypeOf(object).Elem().Name())]++
		}
	}
	return nil
}

// index is the part of a path that differs between elements of a list.
var index = regexp.MustCompile(`\[\d+\]`)

// plain takes the decoder's own prefixes off an error, and puts it on one line.
func plain(err error) error {
	var mismatch *encodingjson.UnmarshalTypeError
	if errors.As(err, &mismatch) && mismatch.Field != "" {
		value, number, _ := strings.Cut(mismatch.Value, " ") // "number 1.5"
		return fmt.Errorf(
			"%s must be %s, not %s",
			mismatch.Field,
			wanted(mismatch.Type),
			cmp.Or(number, written[value]),
		)
	}
	text := err.Error()
	for _, prefix := range []string{"error unmarshaling JSON: ", "while decoding JSON: ",
		"error converting YAML to JSON: ", "json: "} {
		text = strings.TrimPrefix(text, prefix)
	}
	head, list, _ := strings.Cut(text, "\n")
	for line := range strings.Lines(list) {
		head += " " + strings.TrimSpace(line)
	}
	return errors.New(head)
}
