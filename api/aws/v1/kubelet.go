package v1

import (
	"encoding/json"
	"fmt"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
)

// KubeletConfiguration is a part of the kubelet's configuration file, kubelet.config.k8s.io/v1beta1, by name of field.
// The API server keeps whatever is written: which fields there are depends on the kubelet. The controller checks them,
// and says what is wrong in the condition ValidationSucceeded.
type KubeletConfiguration map[string]apiextensionsv1.JSON

// String is the configuration as JSON with its fields in order, and the fields' values as they were written. It is part
// of the hash.
func (k KubeletConfiguration) String() string {
	if len(k) == 0 {
		return "null"
	}
	text, err := json.Marshal(k)
	if err != nil {
		// The API server lets nothing through that is not JSON.
		panic(fmt.Sprintf("writing a kubelet configuration as JSON: %v", err))
	}
	return string(text)
}
