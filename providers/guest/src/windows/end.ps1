} catch {
  if (-not $ended.status) { $ended.status = 78 }
  $why = [regex]::Replace($_.Exception.Message.Replace("`r", ''), '[^\x20-\x7e\n]', '?')
  foreach ($line in $why.Split("`n")) {
    [Console]::Out.Write("`nplimsoll-refused " + $ended.status + ' ' + $line)
  }
  [Console]::Out.Write("`n")
} finally { Exit-Guest }
if (Test-Path variable:plimsollPacked) { $ended.status } else { exit $ended.status }
