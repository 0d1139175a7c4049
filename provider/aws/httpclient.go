package aws

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// callTimeout bounds one attempt of one call, its answer included.
const callTimeout = 4 * time.Minute

// ownBody sends each request with a body of its own.
//
// The SDK closes a request's body as soon as the answer's header is there. When the server is
// quick, net/http is then still looking whether the body has ended, takes the closed body for
// a failure and drops the connection in the middle of the answer. Our requests are small, so
// they are copied.
type ownBody struct{ awssdk.HTTPClient }

// Do sends the request.
func (c ownBody) Do(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		text, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, fmt.Errorf("reading a request's body: %w", err)
		}
		req.Body = io.NopCloser(bytes.NewReader(text))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	}
	return c.HTTPClient.Do(req)
}

func httpClient(own awssdk.HTTPClient) awssdk.HTTPClient {
	if own == nil {
		own = awshttp.NewBuildableClient().WithTimeout(callTimeout)
	}
	return ownBody{own}
}
