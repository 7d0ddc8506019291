<?php

require $argv[1] . '/verify.php';

while (($line = fgets(STDIN)) !== false) {
    [$now, $secrets, $id, $timestamp, $signature, $body] = explode("\t", rtrim($line, "\n"));
    $named = ['webhook-id' => $id, 'webhook-timestamp' => $timestamp, 'webhook-signature' => $signature];
    $headers = array_filter($named, fn ($value) => $value !== '-');
    $known = array_values(array_filter(explode(' ', $secrets)));
    echo is_genuine($known, $headers, base64_decode($body), (int) $now) ? "true\n" : "false\n";
}
