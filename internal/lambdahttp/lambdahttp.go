// Package lambdahttp serves an http.Handler on AWS Lambda, behind an HTTP API
// (payload format 2.0) or a function URL, which send the same events. It is the
// one owner of aws-lambda-go.
//
// What it promises: the handler sees the request that the client sent, whatever
// the gateway made of its path, header and body; and the client gets the answer
// byte by byte, whatever its type. What a gateway loses stays lost: it joins
// repeated headers by commas, and `sam local` keeps only the last of them.
package lambdahttp

import (
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

// runtimeAPI is the address at which the runtime gives events.
// https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const runtimeAPI = "AWS_LAMBDA_RUNTIME_API"

// Under tells whether this process runs under the Lambda runtime.
func Under() bool { return os.Getenv(runtimeAPI) != "" }

// Serve answers events until the context ends. Lambda tells a process to end
// only between events. The goroutine that it leaves behind waits for the next
// event and cannot be told otherwise: who calls Serve ends the process after it.
// So does the goroutine, with a line in the log, where the runtime API fails.
func Serve(ctx context.Context, handler http.Handler) error {
	if !Under() {
		return errors.New("there are no Lambda events to serve: " + runtimeAPI + " is not set")
	}
	go lambda.StartWithOptions(Handler(handler), lambda.WithContext(ctx))
	<-ctx.Done()
	return nil
}

// errForeign is an error of the function and no answer to a client: whoever sent
// such an event waits for none, or has this function wired in a wrong way.
var errForeign = errors.New("the event is not a request of an HTTP API (payload format 2.0) or of a function URL: it has no requestContext.http")

// Handler makes the handler answer events.
func Handler(handler http.Handler) func(context.Context, events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	return func(ctx context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
		if event.RequestContext.HTTP.Method == "" {
			return events.APIGatewayV2HTTPResponse{}, errForeign
		}
		answer := newAnswer()
		r, err := request(ctx, event)
		if err != nil {
			answer.refuse(event.RawPath, err)
			return answer.event("", false), nil
		}
		handler.ServeHTTP(answer, r)
		return answer.event(r.Method, acceptsGzip(r)), nil
	}
}
