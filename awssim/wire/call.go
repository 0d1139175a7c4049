package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/dovetail-sh/dovetail/awssim/apierror"
	"github.com/dovetail-sh/dovetail/awssim/fault"
)

// Services as AWS's signatures and IAM policies name them.
const (
	EC2     = "ec2"
	IAM     = "iam"
	STS     = "sts"
	SSM     = "ssm"
	SQS     = "sqs"
	Pricing = "pricing"
	EKS     = "eks"
	ARC     = "arc-zonal-shift"

	CloudFormation = "cloudformation"
	FIS            = "fis"
	ECR            = "ecr"
	ECRPublic      = "ecr-public"
	Quotas         = "servicequotas"
	Events         = "events"
)

// protocol says how a call is encoded.
type protocol int

const (
	ec2Query protocol = iota
	awsQuery
	awsJSON
	restJSON
)

// Call is one decoded request.
type Call struct {
	Service, Action string
	// AccessKey is the key that signed the request; empty when unsigned.
	AccessKey string
	// RequestID is ours, and is in the answer.
	RequestID string
	// Host is the address the client used, for answers that hold URLs.
	Host string
	// Path holds what a REST path names, by AWS's parameter name.
	Path map[string]string
	// Query holds the parameters after the path's question mark.
	Query url.Values
	// Fault is the trouble that the handler has to make itself: NoCapacity and
	// Partial. All others are made around it.
	Fault fault.Kind

	proto     protocol
	namespace string // of the answer's XML
	jsonType  string // the JSON protocol's version, "1.0"
	form      url.Values
	body      []byte
}

// maxBody bounds what is read of a request; AWS's own limits are lower.
const maxBody = 16 << 20

// read finds out what a request asks for.
func (m *Mux) read(r *http.Request) (*Call, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, apierror.WithStatus(
			http.StatusRequestEntityTooLarge,
			"RequestEntityTooLarge",
			"reading the request: %v",
			err,
		)
	}
	c := &Call{AccessKey: credential(r)[0], Host: r.Host, Query: r.URL.Query(), body: body, proto: restJSON}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		return c, m.readTarget(c, r, target)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") ||
		r.URL.Query().Has("Action") {
		return c, m.readQuery(c, r)
	}
	return c, m.readREST(c, r)
}

func (m *Mux) readTarget(c *Call, r *http.Request, target string) error {
	prefix, action, _ := strings.Cut(target, ".")
	prefix, _, _ = strings.Cut(prefix, "_")
	c.proto, c.Action = awsJSON, action
	c.jsonType = strings.TrimPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-")
	for _, one := range m.routers {
		if one.api.Target == prefix {
			c.Service = one.api.Name
			return nil
		}
	}
	return apierror.New("UnknownOperationException", "No service with the target %s is simulated.", target)
}

func (m *Mux) readQuery(c *Call, r *http.Request) error {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return apierror.New("MalformedQueryString", "%v", err)
	}
	for key, values := range r.URL.Query() {
		form[key] = values
	}
	c.proto, c.Action = awsQuery, form.Get("Action")
	version := form.Get("Version")
	form.Del("Action")
	form.Del("Version")
	c.form = form
	for _, one := range m.routers {
		if one.api.Version != "" && one.api.Version == version {
			c.Service, c.proto, c.namespace = one.api.Name, one.api.protocol(), one.api.Namespace
			return nil
		}
	}
	return apierror.New(
		"InvalidAction",
		"The action %s of the API version %q is not simulated: no service of that version is.",
		c.Action,
		version,
	)
}

// readREST finds the action by the path. Services may have the same paths:
// the one that the signature names comes first.
func (m *Mux) readREST(c *Call, r *http.Request) error {
	c.Service = credential(r)[3]
	ordered := slices.Clone(m.routers)
	slices.SortStableFunc(ordered, func(a, b router) int {
		return cmp.Compare(b2i(b.api.Name == c.Service), b2i(a.api.Name == c.Service))
	})
	for _, one := range ordered {
		if found := one.find(r); found.action != "" {
			c.Service, c.Action, c.Path = one.api.Name, found.action, found.path
			return nil
		}
	}
	return apierror.WithStatus(
		http.StatusNotFound,
		"UnknownOperationException",
		"%s %s of %s is not simulated.",
		r.Method,
		r.URL.Path,
		c.Service,
	)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// Decode fills in, a pointer to a struct, with the call's parameters. Unknown
// query parameters and values of the wrong kind are refused as AWS does; JSON
// members that in does not have are ignored, as AWS does.
func (c *Call) Decode(in any) error {
	if c.proto == ec2Query || c.proto == awsQuery {
		return decodeForm(c.form, in, c.proto == ec2Query)
	}
	if len(c.body) == 0 {
		return nil
	}
	if err := json.Unmarshal(c.body, in); err != nil {
		var typed *json.UnmarshalTypeError
		if errors.As(err, &typed) {
			return apierror.New("SerializationException", "%s can not be converted to %s", typed.Value, typed.Type)
		}
		return apierror.New("SerializationException", "%v", err)
	}
	return nil
}

// Fingerprint is equal for calls with the same parameters. Idempotency tokens
// are compared with it.
func (c *Call) Fingerprint() string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%s.%s\n%s\n", c.Service, c.Action, c.form.Encode())
	if c.form == nil {
		sum.Write(c.body)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}

// Params returns the call's parameters by dotted names, lists numbered from 1,
// whatever its protocol.
func (c *Call) Params() map[string]string {
	out := maps.Clone(c.Path)
	if out == nil {
		out = map[string]string{}
	}
	for name := range c.form {
		out[name] = c.form.Get(name)
	}
	var body any
	if !c.IsQuery() && json.Unmarshal(c.body, &body) == nil {
		flatten(out, "", body)
	}
	return out
}

func flatten(into map[string]string, name string, v any) {
	under := func(key string) string { return strings.TrimPrefix(name+"."+key, ".") }
	switch v := v.(type) {
	case map[string]any:
		for key, item := range v {
			flatten(into, under(key), item)
		}
	case []any:
		for i, item := range v {
			flatten(into, under(strconv.Itoa(i+1)), item)
		}
	default:
		into[name] = fmt.Sprint(v)
	}
}

// IsQuery says that the answer is XML.
func (c *Call) IsQuery() bool { return c.proto == ec2Query || c.proto == awsQuery }
