package boot

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/dovetail-sh/dovetail/awssim/world"
)

// Kubelet is what user data asks the kubelet to be.
type Kubelet struct {
	// Cluster is the cluster it joins. Endpoint and CA may be empty where the
	// boot script would look them up by the name; CA is base64.
	Cluster, Endpoint, CA string

	Labels map[string]string
	Taints []corev1.Taint
	// MaxPods is 0 when the network's limit applies.
	MaxPods int
	// PodsPerCore is 0 when it does not limit.
	PodsPerCore    int
	KubeReserved   map[string]string // quantities by resource
	SystemReserved map[string]string
	EvictionHard   map[string]string // by signal
	// LocalDisks says that pods' storage is on the instance store.
	LocalDisks bool
}

// Read decodes user data (base64) as an image of the family would.
func Read(userData string, family world.Family) (*Kubelet, error) {
	raw, err := base64.StdEncoding.DecodeString(userData)
	if err != nil {
		return nil, fmt.Errorf("decoding user data: %w", err)
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, fmt.Errorf("user data is empty: nothing tells the machine which cluster to join")
	}
	switch family {
	case world.Bottlerocket:
		return readBottlerocket(raw)
	case world.Windows:
		return readPowershell(string(raw))
	}
	parts, err := split(raw)
	if err != nil {
		return nil, err
	}
	if family == world.AL2023 {
		return readNodeadm(parts)
	}
	return readBootstrap(parts)
}

// part is one document of user data.
type part struct {
	kind string // media type
	body string
}

// split takes MIME user data apart, as cloud-init does. What is not MIME is
// one part whose kind its first line tells.
func split(raw []byte) ([]part, error) {
	text := string(raw)
	if !strings.HasPrefix(text, "MIME-Version:") && !strings.HasPrefix(text, "Content-Type:") {
		if strings.HasPrefix(text, "#!") {
			return []part{{"text/x-shellscript", text}}, nil
		}
		return []part{{nodeConfigKind, text}}, nil
	}
	message, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("reading the header of MIME user data: %w", err)
	}
	kind, params, err := mime.ParseMediaType(message.Header.Get("Content-Type"))
	if err != nil {
		return nil, fmt.Errorf("reading the content type of MIME user data: %w", err)
	}
	if !strings.HasPrefix(kind, "multipart/") {
		body, err := io.ReadAll(message.Body)
		return []part{{kind, string(body)}}, err
	}
	var parts []part
	reader := multipart.NewReader(message.Body, params["boundary"])
	for {
		next, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return parts, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading part %d of MIME user data: %w", len(parts)+1, err)
		}
		var from io.Reader = next
		if strings.EqualFold(next.Header.Get("Content-Transfer-Encoding"), "base64") {
			from = base64.NewDecoder(base64.StdEncoding, next)
		}
		body, err := io.ReadAll(from)
		if err != nil {
			return nil, fmt.Errorf("reading part %d of MIME user data: %w", len(parts)+1, err)
		}
		kind, _, err := mime.ParseMediaType(next.Header.Get("Content-Type"))
		if err != nil {
			return nil, fmt.Errorf("reading the content type of part %d of MIME user data: %w", len(parts)+1, err)
		}
		parts = append(parts, part{kind, string(body)})
	}
}
