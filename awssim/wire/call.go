package wire

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
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
	// Fault is the trouble that the handler has to make itself: NoCapacity and
	// Partial. All others are made around it.
	Fault fault.Kind

	proto    protocol
	jsonType string // the JSON protocol's version, "1.0"
	form     url.Values
	body     []byte
}

// maxBody bounds what is read of a request; AWS's own limits are lower.
const maxBody = 16 << 20

var queryVersions = map[string]struct {
	service string
	proto   protocol
}{
	"2016-11-15": {EC2, ec2Query},
	"2010-05-08": {IAM, awsQuery},
	"2011-06-15": {STS, awsQuery},
	"2012-11-05": {SQS, awsQuery},
}

var jsonTargets = map[string]string{
	"AmazonSSM": SSM, "AmazonSQS": SQS, "AWSPriceListService": Pricing,
}

// read finds out what a request asks for.
func read(r *http.Request) (*Call, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxBody))
	if err != nil {
		return nil, apierror.WithStatus(http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", "reading the request: %v", err)
	}
	c := &Call{AccessKey: credential(r)[0], Host: r.Host, body: body, proto: restJSON}
	if target := r.Header.Get("X-Amz-Target"); target != "" {
		prefix, action, _ := strings.Cut(target, ".")
		prefix, _, _ = strings.Cut(prefix, "_")
		c.proto, c.Service, c.Action = awsJSON, jsonTargets[prefix], action
		c.jsonType = strings.TrimPrefix(r.Header.Get("Content-Type"), "application/x-amz-json-")
		if c.Service == "" {
			return c, apierror.New("UnknownOperationException", "no service has the target %s", target)
		}
		return c, nil
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.URL.Query().Has("Action") {
		return c, c.readQuery(r)
	}
	return c, c.readREST(r)
}

func (c *Call) readQuery(r *http.Request) error {
	form, err := url.ParseQuery(string(c.body))
	if err != nil {
		return apierror.New("MalformedQueryString", "%v", err)
	}
	for key, values := range r.URL.Query() {
		form[key] = values
	}
	version, known := queryVersions[form.Get("Version")]
	c.proto, c.Service, c.Action = version.proto, version.service, form.Get("Action")
	if !known {
		return apierror.New("InvalidAction", "The action %s is not valid for version %q", c.Action, form.Get("Version"))
	}
	form.Del("Action")
	form.Del("Version")
	c.form = form
	return nil
}

// readREST knows the REST services: EKS, and the one call of ARC.
func (c *Call) readREST(r *http.Request) error {
	if name, ok := strings.CutPrefix(r.URL.Path, "/managedresources/"); ok && r.Method == http.MethodGet {
		c.Service, c.Action, c.Path = ARC, "GetManagedResource", map[string]string{"resourceIdentifier": name}
		return nil
	}
	c.Service = EKS
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	switch {
	case r.Method == http.MethodGet && len(parts) == 2 && parts[0] == "clusters":
		c.Action, c.Path = "DescribeCluster", map[string]string{"name": parts[1]}
	case r.Method == http.MethodGet && len(parts) == 1 && parts[0] == "clusters":
		c.Action = "ListClusters"
	default:
		return apierror.WithStatus(http.StatusNotFound, "UnknownOperationException", "%s %s is no operation known here", r.Method, r.URL.Path)
	}
	return nil
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
