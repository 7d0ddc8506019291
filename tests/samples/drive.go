package main

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"sample/webhook"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		named := map[string]string{}
		for at, name := range []string{"webhook-id", "webhook-timestamp", "webhook-signature"} {
			if fields[2+at] != "-" {
				named[name] = fields[2+at]
			}
		}
		seconds, _ := strconv.ParseInt(fields[0], 10, 64)
		body, _ := base64.StdEncoding.DecodeString(fields[5])
		header := func(name string) string { return named[name] }
		fmt.Println(webhook.IsGenuine(strings.Fields(fields[1]), header, body, time.Unix(seconds, 0)))
	}
}
