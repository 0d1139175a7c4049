package manifest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	metavalidation "k8s.io/apimachinery/pkg/apis/meta/v1/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// extensions are the files of a directory that are read.
var extensions = []string{".yaml", ".yml", ".json"}

// Read reads files, directories with all below them, and "-" for standard input. No paths are an empty Set.
func Read(paths []string, stdin io.Reader) (*Set, error) { return ReadOver(nil, "", paths, stdin) }

// ReadOver is Read after another text, which is called place in errors: what the files say counts as if they were
// applied to it.
func ReadOver(text io.Reader, place string, paths []string, stdin io.Reader) (*Set, error) {
	s := &Set{Ignored: map[string]int{}, Unknown: map[string]int{}, source: map[string]origin{}}
	if text != nil {
		if err := s.add(place, text); err != nil {
			return nil, err
		}
	}
	sources, err := Sources(paths, stdin)
	if err != nil {
		return nil, err
	}
	if sources, err = s.today(sources); err != nil {
		return nil, err
	}
	for _, source := range sources {
		if err := s.add(source.Name, bytes.NewReader(source.Text)); err != nil {
			return nil, err
		}
	}
	if err := s.complete(); err != nil {
		return nil, err
	}
	return s, nil
}

func filesOf(path string) ([]string, error) {
	switch scheme, _, url := strings.Cut(path, "://"); {
	case url && (scheme == "http" || scheme == "https"):
		return nil, fmt.Errorf(
			"reading manifests: %s is a URL, and nothing is fetched; download it, or pipe it: curl -fsSL %s | "+
				"dovetail simulate -f -",
			path,
			path,
		)
	case url:
		return nil, fmt.Errorf(
			"reading manifests: %s is a URL, and nothing is fetched; download it and give the file",
			path,
		)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading manifests: %w", err)
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(file string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && file != path && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir // .git, .github and the like
		}
		if err == nil && !d.IsDir() && slices.Contains(extensions, filepath.Ext(file)) {
			out = append(out, file)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading manifests in %s: %w", path, err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf(
			"reading manifests: directory %s has no files ending in %s",
			path,
			strings.Join(extensions, ", "),
		)
	}
	return out, nil
}

func (s *Set) add(file string, r io.Reader) error {
	documents := utilyaml.NewYAMLReader(bufio.NewReader(r))
	for i := 1; ; i++ {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		place := fmt.Sprintf("%s, document %d", file, i)
		if err != nil {
			return fmt.Errorf("reading %s: %w", place, err)
		}
		if err := s.document(place, text); err != nil {
			return fmt.Errorf("reading %s: %w", place, rendered(file, text, err))
		}
	}
}

// errNoObject is said of documents that are no manifests.
var errNoObject = errors.New("this is not a Kubernetes object: apiVersion and kind are missing")

// rendered adds to an error of what is still to become a manifest how it does.
func rendered(file string, text []byte, err error) error {
	folder, name := filepath.Split(file)
	missing := errors.Is(err, errNoObject)
	switch {
	case missing && (name == "kustomization.yaml" || name == "kustomization.yml"):
		return fmt.Errorf(
			"%w; give what kustomize makes of the folder: kubectl kustomize %s | dovetail simulate -f -",
			err,
			cmp.Or(folder, "."),
		)
	case missing && (name == "Chart.yaml" || strings.HasPrefix(name, "values")), bytes.Contains(text, []byte("{{")):
		return fmt.Errorf(
			"%w (it looks like a Helm chart: render it with helm template, and give what that prints)",
			err,
		)
	}
	return err
}

// head is what every object has, and what a List has beside it.
type head struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        metav1.ObjectMeta `json:"metadata"`
	Items           []json.RawMessage `json:"items"`
}

func (s *Set) document(place string, text []byte) error {
	objects, err := inJSON(text)
	if err != nil {
		return plain(err)
	}
	for _, object := range objects {
		if err := s.object(place, metav1.TypeMeta{}, object); err != nil {
			return err
		}
	}
	return nil
}

// inJSON is a document in JSON. JSON documents may follow each other without a mark, and as YAML they would take ten
// times as long.
func inJSON(text []byte) ([]json.RawMessage, error) {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		var out []json.RawMessage
		decoder := json.NewDecoder(bytes.NewReader(text))
		for {
			var one json.RawMessage
			err := decoder.Decode(&one)
			if errors.Is(err, io.EOF) {
				return out, nil
			}
			if err != nil {
				break // YAML may begin with a brace, too
			}
			out = append(out, one)
		}
		if len(out) > 0 {
			return nil, fmt.Errorf("what follows object %d is not JSON", len(out))
		}
	}
	one, err := yaml.YAMLToJSONStrict(text)
	if err != nil && bytes.Contains(text, []byte("<<")) && !twice(text) {
		one, err = yaml.YAMLToJSON(text) // what a merge brings may be said anew, which is no slip
	}
	if err != nil || bytes.Equal(one, []byte("null")) { // only comments
		return nil, err
	}
	return []json.RawMessage{one}, nil
}

// twice reports whether a mapping of a document has a key two times as it is written, before anything is merged.
func twice(text []byte) bool {
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil {
		return true
	}
	nodes := []*yamlv3.Node{&document}
	for len(nodes) > 0 {
		n := nodes[0]
		nodes = append(nodes[1:], n.Content...) // aliases are not followed: what they name stands elsewhere
		keys := map[string]bool{}
		for i := 0; n.Kind == yamlv3.MappingNode && i < len(n.Content); i += 2 {
			if keys[n.Content[i].Value] {
				return true
			}
			keys[n.Content[i].Value] = true
		}
	}
	return false
}

// object reads one object. of is the kind of items of a typed list, which do not say it themselves.
func (s *Set) object(place string, of metav1.TypeMeta, text []byte) error {
	var h head
	if !bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) {
		return errNoObject
	}
	if err := json.Unmarshal(text, &h); err != nil {
		return fmt.Errorf("this is not a Kubernetes object: %w", plain(err))
	}
	if h.Kind == "" {
		h.TypeMeta = of
	}
	if h.Kind == "" || h.APIVersion == "" {
		return errNoObject
	}
	if items, ok := strings.CutSuffix(h.Kind, "List"); ok && (h.Items != nil || builtIn(groupOf(h.APIVersion))) {
		return s.list(place, metav1.TypeMeta{APIVersion: h.APIVersion, Kind: items}, h.Items)
	}
	name := h.Kind + " " + (&h.Metadata).Name
	k, err := find(h.APIVersion, h.Kind)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if k.read == nil {
		s.Ignored[h.Kind]++
		return nil
	}
	object, err := k.read(s, text)
	if err == nil {
		err = accept(h.TypeMeta, object, text)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.note(place, h.Kind, k, object)
}

func (s *Set) list(place string, of metav1.TypeMeta, items []json.RawMessage) error {
	for i, item := range items {
		if err := s.object(place, of, item); err != nil {
			return fmt.Errorf("item %d: %w", i+1, err)
		}
	}
	return nil
}

// note gives the object what every object must have, and keeps it. Of two of the same name the second counts, as when
// both are applied one after the other; a server refuses it if its spec cannot change.
func (s *Set) note(place, kindName string, k kind, object metav1.Object) error {
	if object.GetName() == "" && object.GetGenerateName() != "" {
		object.SetName(fmt.Sprintf("%s%d", object.GetGenerateName(), len(s.source)+1))
	}
	if err := checkMeta(kindName, object); err != nil {
		return err
	}
	id := kindName + " " + object.GetName()
	if k.namespaced {
		if object.GetNamespace() == "" {
			object.SetNamespace(metav1.NamespaceDefault)
		}
		id = kindName + " " + object.GetNamespace() + "/" + object.GetName()
	}
	before, twice := s.source[id]
	switch {
	case !twice:
	case apiequality.Semantic.DeepEqual(before.object, object):
		return nil
	case k.fixed && object.GetUID() == "" && before.object.GetUID() == "" && !alike(before.object, object):
		return fmt.Errorf(
			"%s is there already, in %s, with another spec, which cannot be changed; remove one of them",
			id,
			before.place,
		)
	default:
		s.Notes = append(
			s.Notes,
			fmt.Sprintf(
				"%s is in %s and, otherwise, in %s: the second counts, as if both were applied",
				id,
				before.place,
				place,
			),
		)
	}
	s.source[id] = origin{place, object}
	k.keep(s, object, before.object)
	return nil
}

// checkMeta refuses an object whose name or labels no server keeps.
func checkMeta(kindName string, object metav1.Object) error {
	name := object.GetName()
	switch {
	case name == "":
		return fmt.Errorf("a %s has no metadata.name", kindName)
	case strings.Contains(name, "{{"):
		return fmt.Errorf("%s %s: metadata.name is no name", kindName, name)
	case object.GetUID() != "":
		return nil
	case len(validation.IsDNS1123Subdomain(name)) > 0:
		return fmt.Errorf(
			"%s %s: metadata.name is no name: it may have lower case letters, digits, '-' and '.', and begins and "+
				"ends with a letter or digit",
			kindName,
			name,
		)
	}
	if errs := metavalidation.ValidateLabels(object.GetLabels(), field.NewPath("metadata", "labels")); len(errs) > 0 {
		return fmt.Errorf("%s %s: %w", kindName, name, errs[0])
	}
	return nil
}

// alike reports whether two objects differ in their metadata and status at most.
func alike(a, b metav1.Object) bool {
	content := func(o metav1.Object) map[string]any {
		fields, err := runtime.DefaultUnstructuredConverter.ToUnstructured(o)
		if err != nil {
			return nil
		}
		delete(fields, "metadata")
		delete(fields, "status")
		return fields
	}
	return apiequality.Semantic.DeepEqual(content(a), content(b))
}
