package command

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// parameter reads a parameter of the simulated AWS's parameter store at an address, as `aws ssm get-parameter` does.
func parameter(ctx context.Context, aws, name string) (string, error) {
	body, err := json.Marshal(map[string]string{"Name": name})
	if err != nil {
		return "", fmt.Errorf("asking for parameter %s: %w", name, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, aws, bytes.NewReader(body))
	if err != nil {
		return "", fmt.Errorf("asking for parameter %s: %w", name, err)
	}
	request.Header.Set("X-Amz-Target", "AmazonSSM.GetParameter")
	request.Header.Set("Content-Type", "application/x-amz-json-1.1")
	request.Header.Set(
		"Authorization",
		"AWS4-HMAC-SHA256 Credential=AKIDPLAYGROUND00000A/20260101/us-east-1/ssm/aws4_request, SignedHeaders=host, "+
			"Signature=00",
	)
	var answer struct{ Parameter struct{ Value string } }
	if err := ask(request, &answer); err != nil {
		return "", fmt.Errorf("asking for parameter %s: %w", name, err)
	}
	return answer.Parameter.Value, nil
}

func ask(request *http.Request, answer any) error {
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the simulated AWS answered %s", response.Status)
	}
	if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
		return fmt.Errorf("reading the answer: %w", err)
	}
	return nil
}
