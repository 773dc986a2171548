# Answers with one window of what the script printed: little comes back from here. The length and the digest are those
# of the whole, so that windows of two different answers are never put together.
$plimsollPacked = $true
$console = [Console]::Out
$answer = New-Object IO.StringWriter
$status = 1
$said = ''
try {
  [Console]::SetOut($answer)
  $status = [int] (@(& ([scriptblock]::Create($script)))[-1])
} catch {
  $said = [regex]::Replace($_.Exception.Message, '[^\x20-\x7e]', ' ')
} finally { [Console]::SetOut($console) }
$text = $answer.ToString() + "`nplimsoll-status " + $status + "`n"
if ($said) { $text += 'plimsoll-said ' + $said + "`n" }
$packed = New-Object IO.MemoryStream
$zip = New-Object IO.Compression.GZipStream $packed, ([IO.Compression.CompressionMode]::Compress)
$bytes = [Text.Encoding]::ASCII.GetBytes($text)
$zip.Write($bytes, 0, $bytes.Length)
$zip.Dispose()
$packed = [Convert]::ToBase64String($packed.ToArray())
$hash = [Security.Cryptography.SHA256]::Create().ComputeHash([Text.Encoding]::ASCII.GetBytes($packed))
$digest = [BitConverter]::ToString($hash).Replace('-', '').ToLowerInvariant()
$part = ''
if ($offset -lt $packed.Length) { $part = $packed.Substring($offset, [Math]::Min($window, $packed.Length - $offset)) }
[Console]::Out.Write("plimsoll-part 1 gzip " + $status + ' ' + $offset + ' ' + $packed.Length + ' ' + $digest + "`n" + $part + "`nplimsoll-part-end`n")
