package manifest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/json"

	"github.com/dovetail-sh/dovetail/api/crd"
	"github.com/dovetail-sh/dovetail/api/crd/judge"
)

// judges compile what a server holds against objects of our kinds, each when it is first asked for.
var judges = sync.OnceValue(func() map[string]func() (*judge.Judge, error) {
	out := map[string]func() (*judge.Judge, error){}
	for _, definition := range crd.All() {
		out[definition.Spec.Names.Kind] = sync.OnceValues(func() (*judge.Judge, error) { return judge.New(definition) })
	}
	return out
})

// accept refuses an object of ours that no server would keep. Those that come from a server are not asked about.
func accept(of metav1.TypeMeta, object metav1.Object, text []byte) error {
	compile := judges()[of.Kind]
	if compile == nil || object.GetUID() != "" {
		return nil
	}
	j, err := compile()
	if err != nil {
		return err
	}
	u := &unstructured.Unstructured{}
	if err := json.UnmarshalCaseSensitivePreserveInts(text, &u.Object); err != nil {
		return plain(err)
	}
	u.SetAPIVersion(of.APIVersion)
	u.SetKind(of.Kind) // items of typed lists do not say it themselves
	problems := j.Create(context.Background(), u)
	if len(problems) == 0 {
		return nil
	}
	said := problems[0].Message
	if at := problems[0].Field; at != "" {
		said = at + ": " + said
	}
	if len(problems) > 1 {
		said += fmt.Sprintf(" (and %d more)", len(problems)-1)
	}
	return errors.New(said)
}
